package agentapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// TestViewRefuses changes one thing in a good answer.
func TestViewRefuses(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	hex64 := strings.Repeat("0", 64)
	for want, change := range map[string]func(r *Ring){
		`schema: got "ringway.ring/2", want "ringway.ring/1"`: func(r *Ring) { r.Schema = "ringway.ring/2" },
		`… (1048576 bytes), want "ringway.ring/1"`:            func(r *Ring) { r.Schema = long },
		"epoch: got 4503599627370496, want at most 2^52 - 1":  func(r *Ring) { r.Epoch = MaxEpoch + 1 },
		"fingerprint: got \"0000":                             func(r *Ring) { r.Fingerprint = hex64 },
		"fingerprint: got \"xxxx":                             func(r *Ring) { r.Fingerprint = long },
		"algorithm: got \"\"":                                 func(r *Ring) { r.Placement.Algorithm = "" },
		"algorithm: got \"xx":                                 func(r *Ring) { r.Placement.Algorithm = long },
		"hash: got \"\"":                                      func(r *Ring) { r.Placement.Hash = "" },
		"virtual_nodes: got 0, want 1 to":                     func(r *Ring) { r.Placement.VirtualNodes = 0 },
		"virtual_nodes: got 16777217":                         func(r *Ring) { r.Placement.VirtualNodes = ring.MaxTokens + 1 },
		"cluster: got \"xxx":                                  func(r *Ring) { r.Cluster = strings.Repeat("x", 65) },
		"cluster: got \"\\xff\"":                              func(r *Ring) { r.Cluster = "\xff" },
		"seed_fingerprint: got \"12\"":                        func(r *Ring) { r.Placement.SeedFingerprint = "12" },
		"fingerprints: got kind \"router\", want one of":      func(r *Ring) { r.Fingerprints[membership.Router] = hex64 },
		"fingerprints of redis: got \"12\", want 64":          func(r *Ring) { r.Fingerprints[membership.Redis] = "12" },
		"fingerprints of redis: got \"AAAA":                   func(r *Ring) { r.Fingerprints[membership.Redis] = strings.Repeat("A", 64) },
		"disagree[1]: got \"\"":                               func(r *Ring) { r.Disagree = append(r.Disagree, "") },
		"disagree[0]: got \"xx":                               func(r *Ring) { r.Disagree[0] = long },
		"disagree: got 100001 names":                          func(r *Ring) { r.Disagree = make([]string, MaxMembers+1) },
		"members: got none, want a list":                      func(r *Ring) { r.Members = nil },
		"members: got 100001, want at most 100000":            func(r *Ring) { r.Members = make([]Member, MaxMembers+1) },
		"members[0], ID \"cache-a\": got no kind":             func(r *Ring) { r.Members[0].Kind = "" },
		"got no state, want one":                              func(r *Ring) { r.Members[0].State = "" },
		"got no weight, want one":                             func(r *Ring) { r.Members[0].Weight = 0 },
		"weight of node \"cache-a\": got NaN":                 func(r *Ring) { r.Members[0].Weight = math.NaN() },
		"weight of node \"cache-a\": got +Inf":                func(r *Ring) { r.Members[0].Weight = math.Inf(1) },
		"weight of node \"web-1\": got -1":                    func(r *Ring) { r.Members[4].Weight = -1 },
		"kind of member \"cache-a\": got \"etcd\"":            func(r *Ring) { r.Members[0].Kind = "etcd" },
		"state of member \"cache-a\": got \"ASLEEP\"":         func(r *Ring) { r.Members[0].State = "ASLEEP" },
		"health of member \"cache-a\": got \"ILL\"":           func(r *Ring) { r.Members[0].Health = "ILL" },
		"step of member \"m-1\": got \"ACTIVE\"":              func(r *Ring) { r.Members[3].Step = membership.Active },
		"next weight of member \"m-1\": got 0":                func(r *Ring) { r.Members[3].NextWeight = 0 },
		"node ID given twice":                                 func(r *Ring) { r.Members[1].ID = "cache-a" },
		"want 1 to 255 bytes":                                 func(r *Ring) { r.Members[1].ID = strings.Repeat("x", 256) },
		"ID of member \"\\xff\": got \"\\xff\", want UTF-8":   func(r *Ring) { r.Members[1].ID = "\xff" },
		"address of member \"cache-a\": got \"h\\r\\n:1\"":    func(r *Ring) { r.Members[0].Address = "h\r\n:1" },
		"address of member \"cache-a\": got nothing":          func(r *Ring) { r.Members[0].Address = "" },
		"transitions: got map[], want map[":                   func(r *Ring) { r.Transitions = nil },
		"transitions: got map[memcached:{17 announced} redis:{16 announced}]": func(r *Ring) {
			r.Transitions[membership.Redis] = Transition{16, "announced"}
		},
		"… want map[": func(r *Ring) { r.Transitions[membership.Kind(long)] = Transition{1, "importing"} },
	} {
		v, p := fleet(t)
		r := ringOf(t, v, p)
		change(&r)
		got, err := r.View()
		// A long text is cut in the middle of the message.
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), " …,", " …"), want) {
			t.Errorf("got %.300v, want an error with %s", err, want)
		}
		if err != nil && len(err.Error()) > 600 {
			t.Errorf("%s: an error of %d bytes", want, len(err.Error()))
		}
		if len(got.Members) != 0 || got.Epoch != 0 {
			t.Errorf("%s: a view beside the error", want)
		}
	}
}

// TestRingOfRefuses: an agent finds a fault of its own before it sends it.
func TestRingOfRefuses(t *testing.T) {
	v, p := fleet(t)
	bad := v
	bad.Members = append([]membership.Member{{ID: "\xff", Kind: membership.Redis, Address: "h:1", State: membership.Active, Weight: 1}}, v.Members...)
	if r, err := RingOf(bad, p); err == nil || r.Schema != "" {
		t.Errorf("an ID that JSON cannot carry: %+v, %v", r, err)
	}
	bad = v
	bad.Disagree = []string{"\xff"}
	if _, err := RingOf(bad, p); err == nil {
		t.Error("a name that JSON cannot carry")
	}
	if _, err := RingOf(v, Placement{}); err == nil {
		t.Error("no placement passes")
	}
}

func TestReadRingRefuses(t *testing.T) {
	v, p := fleet(t)
	whole, err := json.Marshal(ringOf(t, v, p))
	if err != nil {
		t.Fatal(err)
	}
	head := `{"schema":"ringway.ring/1",`
	many := func(what, element string, n int) string {
		return head + `"` + what + `":[` + strings.Repeat(element+",", n-1) + element + `]}`
	}
	var kinds strings.Builder
	for i := range maxKinds + 1 {
		fmt.Fprintf(&kinds, `%s"k%d":"x"`, map[bool]string{true: ","}[i > 0], i)
	}
	for _, c := range []struct{ name, body, want string }{
		{"half", string(whole[:len(whole)/2]), "not JSON, or cut off"},
		{"all but the end", string(whole[:len(whole)-1]), "not JSON, or cut off"},
		{"twice", string(whole) + string(whole), "not JSON, or cut off"},
		{"nothing", "", "body of 0 bytes"},
		{"HTML", "<html>502</html>", "not JSON"},
		{"an array", "[]", "not JSON, or cut off: json: cannot unmarshal array"},
		{"no UTF-8", strings.Replace(string(whole), "cache-a", "cache-\xff", 1), "not UTF-8"},
		{"NaN", head + `"epoch":NaN}`, "not JSON"},
		{"epoch -1", head + `"epoch":-1}`, "cannot unmarshal number -1"},
		{"long number", head + `"epoch":1` + strings.Repeat("0", 1<<16) + `}`, "cannot unmarshal number 1000"},
		{"members an object", head + `"members":{}}`, `members: got "{", want an array`},
		{"members a text", head + `"members":"x"}`, `members: got "x", want an array`},
		{"a member a text", head + `"members":[{},"x"]}`, "members[1]: json: cannot unmarshal string"},
		{"fingerprints an array", head + `"fingerprints":[]}`, `fingerprints: got "[", want an object`},
		{"a fingerprint a number", head + `"fingerprints":{"redis":1}}`, `fingerprints of "redis"`},
		{"too many kinds", head + `"fingerprints":{` + kinds.String() + `}}`, "fingerprints: got more than 64"},
		{"too many members", many("members", "{}", MaxMembers+1), "members: got more than 100000"},
		{"too many names", many("disagree", `""`, MaxMembers+1), "disagree: got more than 100000"},
		{"deep", head + `"later":` + strings.Repeat("[", 1<<20), "not JSON"},
	} {
		r, err := ReadRing(strings.NewReader(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) || r.Schema != "" {
			t.Errorf("%s: got %.300v, want an error with %q", c.name, err, c.want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%s: an error of %d bytes", c.name, len(err.Error()))
		}
	}
	broken := errors.New("the line is cut")
	if _, err := ReadRing(io.MultiReader(strings.NewReader(head), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// endless is a body without an end. It counts what was read of it.
type endless struct{ read int64 }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	e.read += int64(len(b))
	return len(b), nil
}

func TestBodyIsBounded(t *testing.T) {
	body := &endless{}
	if _, err := ReadRing(body); err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes") {
		t.Errorf("an endless body: %v", err)
	}
	if body.read > 2*MaxBody {
		t.Errorf("%d bytes were read", body.read)
	}
}

func TestReadMembersRefuses(t *testing.T) {
	for want, change := range map[string]func(m *Members){
		`schema: got "x", want "ringway.members/1"`: func(m *Members) { m.Schema = "x" },
		"epoch: got":                                    func(m *Members) { m.Epoch = MaxEpoch + 1 },
		"fingerprint: got \"\", want 64":                func(m *Members) { m.Fingerprint = "" },
		"disagree[0]":                                   func(m *Members) { m.Disagree = []string{""} },
		"share: got 1.5, want 0 to 1":                   func(m *Members) { m.Members[0].Share = 1.5 },
		"share: got -1":                                 func(m *Members) { m.Members[0].Share = -1 },
		"members[0], ID \"cache-a\": fingerprint":       func(m *Members) { m.Members[0].Fingerprint = "abc" },
		"want up to 64 hexadecimal digits":              func(m *Members) { m.Members[0].Fingerprint = strings.Repeat("0", 66) },
		"http: got \"xx":                                func(m *Members) { m.Members[0].HTTP = strings.Repeat("x", 513) },
		"got no state":                                  func(m *Members) { m.Members[0].State = "" },
		"state of member \"cache-a\": got \"SLEEPING\"": func(m *Members) { m.Members[0].State = "SLEEPING" },
		"members: got none":                             func(m *Members) { m.Members = nil },
		"node ID given twice":                           func(m *Members) { m.Members[1].ID = "cache-a" },
	} {
		v, p := fleet(t)
		m := MembersOf(ringOf(t, v, p))
		change(&m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ReadMembers(strings.NewReader(string(text))); err == nil || !strings.Contains(err.Error(), want) || got.Schema != "" {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
	body := `{"schema":"ringway.members/1","members":[` + strings.Repeat("{},", MaxMembers) + `{}]}`
	if _, err := ReadMembers(strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), "members: got more than 100000") {
		t.Errorf("too many members: %v", err)
	}
}
