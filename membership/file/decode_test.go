package file

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/token"
	"github.com/ringway/ringway/membership"
)

const wholeYAML = `# the fleet
epoch: 12
members:
  - id: cache-b
    kind: memcached
    address: "[fd00::2]:11211"
    weight: 2.5
    zone: eu-1   # a comment
    state: LEAVING
    health: UNHEALTHY
  - {id: "7", address: unix:///run/a b.sock, weight: 1e3}
  - address: 10.0.0.1:6379
    id: 'cache-ä'
  - id: web
    kind: router
`

func wholeMembers() []membership.Member {
	return []membership.Member{
		{ID: "7", Kind: membership.Redis, Address: "unix:///run/a b.sock", State: membership.Active, Weight: 1000},
		{ID: "cache-b", Kind: membership.Memcached, Address: "[fd00::2]:11211", State: membership.Leaving, Health: membership.Unhealthy, Weight: 2.5, Zone: "eu-1"},
		{ID: "cache-ä", Kind: membership.Redis, Address: "10.0.0.1:6379", State: membership.Active, Weight: 1},
		{ID: "web", Kind: membership.Router, State: membership.Active, Weight: 1},
	}
}

// asJSON is what a program would write: indented with tabs, everything beyond
// ASCII escaped.
func asJSON(t *testing.T) string {
	t.Helper()
	text, err := json.MarshalIndent(map[string]any{"epoch": 12, "members": []map[string]any{
		{"id": "cache-b", "kind": "memcached", "address": "[fd00::2]:11211", "weight": 2.5, "zone": "eu-1", "state": "LEAVING", "health": "UNHEALTHY"},
		{"id": "7", "address": "unix:///run/a b.sock", "weight": 1e3},
		{"id": "cache-ä", "address": "10.0.0.1:6379"},
		{"id": "web", "kind": "router"},
	}}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(text), "ä", `\u00e4`), "/run", `\/run`)
}

func TestYAMLAndJSON(t *testing.T) {
	compact := strings.NewReplacer("\n", "", "\t", "", `": `, `":`).Replace(asJSON(t))
	for name, content := range map[string]string{
		"YAML": wholeYAML, "JSON": asJSON(t), "compact JSON": compact,
		"with a byte order mark": "\ufeff" + wholeYAML, "JSON with one": "\ufeff" + compact,
		"with a document start": "---\n" + wholeYAML + "...\n",
		"CR LF":                 strings.ReplaceAll(wholeYAML, "\n", "\r\n"),
	} {
		doc, err := parse([]byte(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if doc.epoch == nil || doc.epoch.value != 12 || !reflect.DeepEqual(doc.members, wholeMembers()) {
			t.Errorf("%s: got %+v", name, doc)
		}
	}
	for _, content := range []string{"members: []\n", `{"members":[]}`} {
		if doc, err := parse([]byte(content)); err != nil || doc.epoch != nil || len(doc.members) != 0 {
			t.Errorf("%s: %+v, %v", content, doc, err)
		}
	}
}

// TestFaults holds what is said of each fault, and where it is.
func TestFaults(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	for _, c := range []struct{ name, content, want string }{
		{"empty", "", "1:1: the file is empty"},
		{"comments alone", "# nobody\n", "1:1: the file is empty"},
		{"a text", "hello\n", `1:1: the file: got the text "hello", want the fields members, epoch`},
		{"a list", "- id: a\n", "1:1: the file: got a list, want the fields members"},
		{"no members", "epoch: 1\n", "no members, want a list, be it empty"},
		{"null members", "members:\n", "members: got nothing, want a list"},
		{"members of fields", "members:\n  id: a\n", "members: got fields, want a list"},
		{"unknown at the top", "member:\n  - id: a\n", `1:1: the file: unknown field "member", did you mean "members"?; want one of members, epoch`},
		{"unknown in a member", "members:\n  - id: a\n    adress: h:1\n", `3:5: a member: unknown field "adress", did you mean "address"?; want one of id, kind,`},
		{"in another case", "members:\n  - ID: a\n", `2:5: a member: unknown field "ID", did you mean "id"?`},
		{"nothing like it", "members:\n  - id: a\n    colour: red\n", `3:5: a member: unknown field "colour"; want one of`},
		{"long field", "members:\n  - " + long + ": a\n", `… (65536 bytes); want one of`},
		{"a number for a field", "members:\n  - 1: a\n", `2:5: a member: got the field "1"`},
		{"a field twice", "members:\n  - id: a\n    id: b\n", `3:5: mapping key "id" already defined`},
		{"JSON field twice", `{"epoch":1,"epoch":2,"members":[]}`, `1:12: mapping key "epoch" already defined`},
		{"a member that is a text", "members:\n  - cache-a\n", `2:5: a member: got the text "cache-a", want the fields id,`},
		{"a member that is nothing", "members:\n  -\n", "a member: got nothing, want the fields"},
		{"number as ID", "members:\n  - id: 7\n    address: h:1\n", `2:9: id: got the number 7, want a text: put it in quotes`},
		{"bool as zone", "members:\n  - id: a\n    address: h:1\n    zone: true\n", `4:11: zone: got true, want a text: put it in quotes`},
		{"null zone", "members:\n  - id: a\n    address: h:1\n    zone:\n", `zone: got nothing, want a text`},
		{"list as address", "members:\n  - id: a\n    address: [h:1]\n", `3:14: address: got a list, want a text`},
		{"no ID", "members:\n  - address: h:1\n", "2:5: a member without id, want one"},
		{"empty ID", "members:\n  - address: h:1\n    id: ''\n", `3:9: membership: members: ring: node ID: got "", want 1 to 255 bytes`},
		{"long ID", "members:\n  - address: h:1\n    id: " + long + "\n", `3:9: membership: members: ring: node ID: got "xxx`},
		{"ID twice", "members:\n  - {id: a, address: h:1}\n  - {id: b, address: h:1}\n  - {address: h:1, id: a}\n", `4:24: id "a" is given twice, first at 2:10`},
		{"no address", "members:\n  - id: a\n", "2:5: a member without address, want one"},
		{"bad address", "members:\n  - id: a\n    address: 10.0.0.1\n", `3:14: membership: address of member "a": got "10.0.0.1", want host:port or unix:///path`},
		{"two faults", "members:\n  - id: ''\n    address: 10.0.0.1\n", `2:5: membership: members: ring: node ID`},
		{"long zone", "members:\n  - id: a\n    address: h:1\n    zone: " + long + "\n", "4:11: membership: members: ring: zone of node"},
		{"unknown kind", "members:\n  - id: a\n    address: h:1\n    kind: Redis\n", `4:11: kind: got "Redis", did you mean "redis"?; want one of redis, memcached, router`},
		{"unknown state", "members:\n  - id: a\n    address: h:1\n    state: ACTIV\n", `4:12: state: got "ACTIV", did you mean "ACTIVE"?; want one of JOINING,`},
		{"unknown health", "members:\n  - id: a\n    address: h:1\n    health: GOOD\n", `4:13: health: got "GOOD"; want one of UNHEALTHY, DEAD`},
		{"weight a text", "members:\n  - id: a\n    address: h:1\n    weight: heavy\n", `4:13: weight: got the text "heavy", want a decimal number`},
		{"weight in quotes", "members:\n  - id: a\n    address: h:1\n    weight: \"2\"\n", `4:13: weight: got the text "2", want a decimal number`},
		{"weight 0", "members:\n  - id: a\n    address: h:1\n    weight: 0\n", `4:13: weight: got 0, want above 0`},
		{"weight -1", "members:\n  - id: a\n    address: h:1\n    weight: -1\n", `4:13: membership: members: ring: weight of node "a": got -1, want above 0`},
		{"weight not a number", "members:\n  - id: a\n    address: h:1\n    weight: .nan\n", `4:13: weight: got the number .nan, want a decimal number`},
		{"weight without end", "members:\n  - id: a\n    address: h:1\n    weight: .inf\n", `4:13: weight: got the number .inf, want a decimal number`},
		{"weight too large", "members:\n  - id: a\n    address: h:1\n    weight: 1e300\n", `4:13: membership: members: ring: weight of node "a": got 1e+300`},
		{"weight beyond a float", "members:\n  - id: a\n    address: h:1\n    weight: 1e999\n", `4:13: weight: got the text "1e999"`},
		{"hexadecimal weight", "members:\n  - id: a\n    address: h:1\n    weight: 0x10\n", `4:13: weight: got the number 0x10, want a decimal number`},
		{"hexadecimal with exponent", "members:\n  - id: a\n    address: h:1\n    weight: 0x1p4\n", `4:13: weight: got the text "0x1p4", want a decimal number`},
		{"infinity", "members:\n  - id: a\n    address: h:1\n    weight: infinity\n", `4:13: weight: got the text "infinity", want a decimal number`},
		{"octal epoch", "epoch: 010\nmembers: []\n", "1:8: epoch: got the number 010, want a whole number from 1"},
		{"epoch 0", "epoch: 0\nmembers: []\n", "1:8: epoch: got the number 0, want a whole number from 1"},
		{"epoch -1", "epoch: -1\nmembers: []\n", "1:8: epoch: got the number -1, want"},
		{"epoch 1.5", "epoch: 1.5\nmembers: []\n", "1:8: epoch: got the number 1.5, want"},
		{"epoch too large", "epoch: 4611686018427387905\nmembers: []\n", "1:8: epoch: got the number 4611686018427387905, want"},
		{"epoch in quotes", "epoch: '1'\nmembers: []\n", `1:8: epoch: got the text "1", want`},
		{"two documents", "members: []\n---\nmembers: []\n", "a second document, want one"},
		{"anchor", "members:\n  - &a {id: a, address: h:1}\n", "2:5: anchors and aliases are not supported"},
		{"alias", "members:\n  - id: *a\n", "2:9: anchors and aliases are not supported"},
		{"merge", "members:\n  - <<: {id: a}\n", "2:5: anchors and aliases are not supported"},
		{"tag", "members:\n  - id: !!str 7\n", `2:9: got "!!str", which is not supported`},
		{"directive", "%YAML 1.1\n---\nmembers: []\n", "1:1: got \"%\", which is not supported"},
		{"question mark", "? members\n: []\n", "1:1: got \"?\", which is not supported"},
		{"open quote", "members:\n  - id: \"a\n", "2:9: could not find end character"},
		{"open bracket", `{"members":[{"id":"a","address":"h:1"}`, "1:12: "},
		{"tab", "members:\n\t- id: a\n", "2:1: found character '\t'"},
		{"half a file", "members:\n  - id: a\n    addr", "3:5: non-map value is specified"},
		{"more behind JSON", "{\"members\":[]}\nepoch: 1\n", "2:"},
		{"no UTF-8", "members:\n  - id: ä\xff\n", "2:10: byte 0xff is no UTF-8"},
		{"a NUL", "members:\n  - id: a\x00\n", "2:10: got the control character U+0000"},
		{"deep", "members: " + strings.Repeat("[", 1<<16), "1:17: nested too deeply"},
		{"dashes", strings.Repeat("- ", 1<<16), "1:17: nested too deeply"},
	} {
		doc, err := parse([]byte(c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%s: got %.600v, want an error with %s", c.name, err, c.want)
		}
		if err != nil && len(doc.members) != 0 {
			t.Errorf("%s: members beside the error", c.name)
		}
	}
}

// TestBounds: what would take the parser minutes, or more stack than there is,
// does not get there; nor does anything else that is large and senseless do harm.
func TestBounds(t *testing.T) {
	repeat := func(what string) string {
		var b strings.Builder
		for i := range 15_000 {
			b.WriteString(strings.Replace(what, "%d", strconv.Itoa(i), 1))
		}
		return b.String()
	}
	indented := strings.Builder{}
	for i := range 700 {
		indented.WriteString(strings.Repeat(" ", i) + "-\n")
	}
	const fields, deep = "more than 64 fields in one place", "nested too deeply"
	for name, c := range map[string]struct{ content, want string }{
		"many fields":                   {repeat("k%d: 1\n"), fields},
		"many fields that hold lists":   {repeat("k%d:\n- 1\n"), fields},
		"many fields that hold fields":  {repeat("k%d:\n  a: 1\n"), fields},
		"many fields in brackets":       {"{" + repeat("k%d: 1, ") + "}", fields},
		"many fields that hold []":      {"{" + repeat("k%d: [], ") + "}", fields},
		"many fields of a member":       {"members:\n  - id: a\n" + repeat("    k%d: 1\n"), fields},
		"many fields of a member of []": {"members: [{" + repeat("k%d: [{a: 1}],") + "}]", fields},
		"nested lists":                  {repeat("["), deep},
		"nested fields":                 {repeat("{a: "), deep},
		"nested by dashes":              {repeat("- "), deep},
		"nested by indentation":         {indented.String(), deep},
		"colons":                        {repeat(": "), deep},
		"commas":                        {"[" + repeat(","), "1:2: "},
		"brackets":                      {repeat("[]"), "1:3: "},
		"closing brackets":              {repeat("]"), "1:1: "},
		"questions":                     {repeat("? "), "not supported"},
		"anchors":                       {repeat("&a "), "not supported"},
		"quotes":                        {repeat("'' "), "1:4: "},
		"documents":                     {repeat("---\n"), "empty"},
		"literals":                      {repeat("|\n"), "2:1: "},
		"lines":                         {repeat("a b\n"), "got the text"},
	} {
		doc, err := parse([]byte(c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(doc.members) > 0 {
			t.Errorf("%s: got %.200v, want %s", name, err, c.want)
		}
	}
}

// TestTokensAreCounted: what holds more than any fleet is given up in the middle.
func TestTokensAreCounted(t *testing.T) {
	b := bounds{tokens: maxTokens - 1}
	one := &token.Token{Type: token.StringType, Position: &token.Position{Line: 3, Column: 4}}
	if err := b.check(one); err != nil {
		t.Errorf("the last one: %v", err)
	}
	if err := b.check(one); err == nil || !strings.Contains(err.Error(), "3:4: more than 2000000 words and signs") {
		t.Errorf("one more: %v", err)
	}
}

func TestLargeFleet(t *testing.T) {
	var b strings.Builder
	b.WriteString("members:\n")
	for i := range 5_000 {
		fmt.Fprintf(&b, "- id: cache-%05d\n  address: 10.0.0.1:6379\n  zone: z\n", i)
	}
	doc, err := parse([]byte(b.String()))
	if err != nil || len(doc.members) != 5_000 || doc.members[4_999].ID != "cache-04999" {
		t.Errorf("%d members, %v", len(doc.members), err)
	}
}

func TestPanicOfTheParser(t *testing.T) {
	if err := surviving(func() error { panic("index out of range") }); err == nil || !strings.Contains(err.Error(), "the parser failed: index out of range") {
		t.Errorf("got %v", err)
	}
}

// FuzzParse: nothing panics, and what is taken is a view's members.
func FuzzParse(f *testing.F) {
	f.Add([]byte(wholeYAML))
	f.Add([]byte(`{"epoch":3,"members":[{"id":"a","address":"h:1","weight":1.5}]}`))
	f.Add([]byte("members:\n- id: |\n    a\n  address: >-\n    h:1\n"))
	f.Add([]byte("members: [{id: a, address: 'h:1'}, {id: b}]\n# x"))
	f.Fuzz(func(t *testing.T, content []byte) {
		doc, err := parse(content)
		if err != nil {
			return
		}
		view, err := membership.NewView(1, doc.members...)
		if err != nil || len(view.Members) != len(doc.members) {
			t.Errorf("%+v: %v", doc, err)
		}
	})
}
