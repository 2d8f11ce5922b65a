package membership

import (
	"math"
	"strings"
	"testing"
)

func TestNewView(t *testing.T) {
	members := []Member{{ID: "b", Address: "[::1]:6379"}, {ID: "a", Address: "unix:///run/my cache.sock", Kind: Memcached, Weight: 2}, {ID: "r", Kind: Router}}
	v, err := NewView(7, members...)
	if err != nil {
		t.Fatal(err)
	}
	want := Member{ID: "b", Kind: Redis, Address: "[::1]:6379", State: Active, Weight: 1}
	if v.Epoch != 7 || v.Version != 0 || len(v.Members) != 3 || v.Members[0].ID != "a" || v.Members[1] != want {
		t.Errorf("got %+v", v)
	}
	if members[0].ID != "b" || members[0].Weight != 0 {
		t.Errorf("the caller's members were changed: %+v", members)
	}
	if v, err := NewView(0); err != nil || len(v.Members) != 0 {
		t.Errorf("without members: %+v, %v", v, err)
	}
}

func TestNewViewRefuses(t *testing.T) {
	good := Member{ID: "a", Address: "h:1"}
	with := func(change func(*Member)) Member { m := good; change(&m); return m }
	long := strings.Repeat("x", 1<<20)
	for want, m := range map[string]Member{
		"node ID: got \"\"":                                    with(func(m *Member) { m.ID = "" }),
		"node ID: got \"xxx":                                   with(func(m *Member) { m.ID = long }),
		`ID of member "a\xff": got "a\xff", want UTF-8`:        with(func(m *Member) { m.ID = "a\xff" }),
		`zone of member "a"`:                                   with(func(m *Member) { m.Zone = "\xff" }),
		"ring: zone of node":                                   with(func(m *Member) { m.Zone = long }),
		"got 1048576 bytes, want a word":                       with(func(m *Member) { m.State = State(long) }),
		"got 1048576 bytes, want at most 512":                  with(func(m *Member) { m.Address = long }),
		`state of member "a": got "IDLE"`:                      with(func(m *Member) { m.State = "IDLE" }),
		"weight of node":                                       with(func(m *Member) { m.Weight = math.NaN() }),
		`next weight of member "a": got NaN, want 0`:           with(func(m *Member) { m.NextWeight = math.NaN() }),
		`next weight of member "a": got 2, want 0`:             with(func(m *Member) { m.NextWeight = 2 }),
		`address of member "a": got nothing`:                   with(func(m *Member) { m.Address = "" }),
		`address of member "a": got "h", want host:port`:       with(func(m *Member) { m.Address = "h" }),
		`address of member "a": got ":1", want host`:           with(func(m *Member) { m.Address = ":1" }),
		`address of member "a": got "h:0", want host`:          with(func(m *Member) { m.Address = "h:0" }),
		`address of member "a": got "h:65536", want host`:      with(func(m *Member) { m.Address = "h:65536" }),
		`address of member "a": got "h:redis", want host`:      with(func(m *Member) { m.Address = "h:redis" }),
		`address of member "a": got "::1:6379", want host`:     with(func(m *Member) { m.Address = "::1:6379" }),
		`address of member "a": got "h\r\nx:1", want host`:     with(func(m *Member) { m.Address = "h\r\nx:1" }),
		`address of member "a": got "h h:1", want host`:        with(func(m *Member) { m.Address = "h h:1" }),
		`address of member "a": got "a@h:1", want host`:        with(func(m *Member) { m.Address = "a@h:1" }),
		`address of member "a": got "h\xff:1", want host`:      with(func(m *Member) { m.Address = "h\xff:1" }),
		`address of member "a": got "unix://x", want host`:     with(func(m *Member) { m.Address = "unix://x" }),
		`address of member "a": got "unix:///", want host`:     with(func(m *Member) { m.Address = "unix:///" }),
		`address of member "a": got "redis://h:1", want host`:  with(func(m *Member) { m.Address = "redis://h:1" }),
		`address of member "a": got "unix:///a\n", want host:`: with(func(m *Member) { m.Address = "unix:///a\n" }),
	} {
		v, err := NewView(1, m)
		if err == nil || !strings.Contains(err.Error(), want) || len(v.Members) != 0 {
			t.Errorf("got %.200v, want an error with %s", err, want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	if _, err := NewView(1, good, good); err == nil || !strings.Contains(err.Error(), "given twice") {
		t.Errorf("one ID twice: %v", err)
	}
}
