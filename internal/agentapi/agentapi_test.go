package agentapi

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

var update = flag.Bool("update", false, "write the golden files")

// fleet is a view with something of everything.
func fleet(t testing.TB) (membership.View, Placement) {
	t.Helper()
	cfg := ring.Config{Hasher: ring.Hasher{HashTags: true, Seed: 42}}
	v, err := membership.NewView(17,
		membership.Member{ID: "cache-a", Address: "10.0.0.1:6379", Zone: "z1", Weight: 2.5, Generation: 3},
		membership.Member{ID: "cache-b", Address: "[fd00::2]:6379", State: membership.Importing, Transition: 16, Generation: 1},
		membership.Member{ID: "cäche-\"c\"", Address: "unix:///run/c.sock", State: membership.Exporting, Transition: 16, Health: membership.Dead},
		membership.Member{ID: "m-1", Kind: membership.Memcached, Address: "m:11211", Step: membership.Announced, NextWeight: 3, Transition: 17},
		membership.Member{ID: "web-1", Kind: membership.Router},
	)
	if err != nil {
		t.Fatal(err)
	}
	v.Fingerprints = make(map[membership.Kind]ring.Fingerprint)
	for _, kind := range nodeKinds {
		if v.Fingerprints[kind], err = ring.FingerprintOf(v.Current(kind), cfg); err != nil {
			t.Fatal(err)
		}
	}
	v.Disagree = []string{"web-1"}
	p, err := PlacementOf(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v, p
}

func ringOf(t testing.TB, v membership.View, p Placement) Ring {
	t.Helper()
	r, err := RingOf(v, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func golden(t *testing.T, name string, value any) {
	t.Helper()
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, text, want)
	}
}

// TestRingAndBack holds the names of the fields and the fingerprint, which must
// not change, and that nothing of a view is lost on the way.
func TestRingAndBack(t *testing.T) {
	v, p := fleet(t)
	said := ringOf(t, v, p)
	said.Cluster = "blue"
	golden(t, "ring.json", said)
	text, err := os.ReadFile(filepath.Join("testdata", "ring.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReadRing(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	back, err := r.View()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, v) || r.Placement != p || r.Cluster != "blue" {
		t.Errorf("got  %+v\nwant %+v", back, v)
	}
}

func TestEmptyFleet(t *testing.T) {
	p, err := PlacementOf(ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(ringOf(t, membership.View{}, p))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"members":[]`, `"fingerprints":{}`, `"transitions":{}`, `"disagree":[]`, `"cluster":""`, `"seed_fingerprint":""`, `"virtual_nodes":160`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	r, err := ReadRing(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.View(); err != nil || v.Epoch != 0 || len(v.Members) != 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestLaterVersion: what a later agent adds is passed over; another schema is
// refused, whatever else has become of the document.
func TestLaterVersion(t *testing.T) {
	v, p := fleet(t)
	text, err := json.Marshal(ringOf(t, v, p))
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(text), `{"schema"`, `{"later":{"a":[1,2]},"schema"`, 1)
	later = strings.ReplaceAll(later, `{"id"`, `{"colour":"red","id"`)
	r, err := ReadRing(strings.NewReader(later))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := r.View(); err != nil || !reflect.DeepEqual(back, v) {
		t.Errorf("with unknown fields: %+v, %v", back, err)
	}
	for _, body := range []string{`{"schema":"ringway.ring/2","members":{"a":1},"epoch":"x"}`, `{"epoch":1}`, `{}`} {
		_, err := ReadRing(strings.NewReader(body))
		if err == nil || !strings.Contains(err.Error(), `schema: got "`) || !strings.Contains(err.Error(), `want "ringway.ring/1"`) {
			t.Errorf("%s: got %v, want an error that names both schemas", body, err)
		}
	}
}

func TestFingerprint(t *testing.T) {
	v, p := fleet(t)
	base := fingerprint(v, p)
	change := func(how func(m *membership.Member)) membership.View {
		w := v
		w.Members = append([]membership.Member(nil), v.Members...)
		how(&w.Members[0])
		return w
	}
	other := ring.Fingerprint{1}
	for name, w := range map[string]membership.View{
		"weight":      change(func(m *membership.Member) { m.Weight = 3 }),
		"zone":        change(func(m *membership.Member) { m.Zone = "z2" }),
		"ID":          change(func(m *membership.Member) { m.ID = "cache-A" }),
		"state":       change(func(m *membership.Member) { m.State = membership.Joining }),
		"leaving":     change(func(m *membership.Member) { m.State, m.Transition = membership.Leaving, 16 }),
		"transition":  change(func(m *membership.Member) { m.State, m.Transition = membership.Exporting, 15 }),
		"fingerprint": {Epoch: v.Epoch, Members: v.Members, Fingerprints: map[membership.Kind]ring.Fingerprint{membership.Redis: other}},
	} {
		if fingerprint(w, p) == base {
			t.Errorf("another %s, the same fingerprint", name)
		}
	}
	same := change(func(m *membership.Member) { m.Address, m.Health, m.Generation = "h:2", membership.Unhealthy, 9 })
	same.Epoch, same.Disagree = 99, nil
	if fingerprint(same, p) != base {
		t.Error("address, health, generation and epoch have a part in the fingerprint")
	}
	for name, q := range map[string]Placement{
		"algorithm":     {"jump", p.VirtualNodes, p.Hash, p.HashTags, p.SeedFingerprint},
		"virtual nodes": {p.Algorithm, 161, p.Hash, p.HashTags, p.SeedFingerprint},
		"hash":          {p.Algorithm, p.VirtualNodes, "murmur3", p.HashTags, p.SeedFingerprint},
		"hash tags":     {p.Algorithm, p.VirtualNodes, p.Hash, false, p.SeedFingerprint},
		"seed":          {p.Algorithm, p.VirtualNodes, p.Hash, p.HashTags, ""},
	} {
		if fingerprint(v, q) == base {
			t.Errorf("another %s, the same fingerprint", name)
		}
	}
}

func TestPlacementOf(t *testing.T) {
	got, err := PlacementOf(ring.Config{VirtualNodes: 40, Hasher: ring.Hasher{Function: ring.Murmur3}})
	if want := (Placement{Algorithm: "ring", VirtualNodes: 40, Hash: "murmur3"}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	one, _ := PlacementOf(ring.Config{Hasher: ring.Hasher{Seed: 1}})
	two, _ := PlacementOf(ring.Config{Hasher: ring.Hasher{Seed: 2}})
	if len(one.SeedFingerprint) != 16 || one == two {
		t.Errorf("seeds 1 and 2: %+v, %+v", one, two)
	}
	if _, err := PlacementOf(ring.Config{VirtualNodes: -1}); err == nil {
		t.Error("-1 virtual nodes pass")
	}
}

func TestMembers(t *testing.T) {
	v, p := fleet(t)
	m := MembersOf(ringOf(t, v, p))
	m.Members[0].Share = 0.625
	m.Members[0].Fingerprint = "0123456789abcdef"
	m.Members[0].HTTP = "http://10.0.0.1:8946"
	m.Members[0].Since = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.Members[0].HealthSince = time.Date(2026, 1, 2, 4, 4, 5, 0, time.UTC)
	golden(t, "members.json", m)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadMembers(bytes.NewReader(text))
	if err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("got %+v, %v, want %+v", back, err, m)
	}
	if m.Agree || !MembersOf(Ring{}).Agree {
		t.Error("agree does not follow from who disagrees")
	}
}

// TestStatusSince: of what is shown in place of the state it is another time.
func TestStatusSince(t *testing.T) {
	early, late := time.Unix(100, 0), time.Unix(200, 0)
	for _, c := range []struct {
		rule                     string
		health                   membership.Health
		since, healthSince, want time.Time
	}{
		{"a state", membership.Healthy, early, time.Time{}, early},
		{"unhealthy", membership.Unhealthy, early, late, late},
		{"dead, and the state changed later by its own clock", membership.Dead, late, early, early},
		{"unhealthy, by an agent that does not tell since when", membership.Unhealthy, early, time.Time{}, time.Time{}},
		{"well again", membership.Healthy, early, late, late},
		{"well again, then another state", membership.Healthy, late, early, late},
	} {
		got := MemberStatus{Health: c.health, Since: c.since, HealthSince: c.healthSince}.StatusSince()
		if !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.rule, got, c.want)
		}
	}
}
