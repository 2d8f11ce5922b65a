package cache

import (
	"testing"
	"time"
)

// What names a space: its schema is written as the keys have it.
func TestNamesOfSpaces(t *testing.T) {
	for text, want := range map[string]bool{
		"svc:user/3": true, "a/0": true, "a/4294967295": true,
		"svc:user": false, "svc:user/": false, "/3": false, "svc:user/03": false, "a/00": false, "a/4294967296": false,
		"a/+3": false, "a/-1": false, "a/3/": false, "a b/3": false, "a/b/3": false, "": false, "3": false,
	} {
		if got := validSpace(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// Where an entry ought to be there is something else: it is reported, however small it is,
// unless it is a lease or a hold-off.
func TestAuditFindsWhatIsSmall(t *testing.T) {
	for _, b := range backends {
		if b.name == "memory" { // where nothing but this package writes
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 2)
			store := b.open(t, addresses)
			m := newManager(t, store)
			s := newUsers(t, m, nil)
			for i, value := range []string{"x", "1234", "\x0256789abcdef", "\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
				writeForeign(t, b.name, addresses, s.prefix+"s4:acmei1:"+string(rune('0'+i)), []byte(value))
			}
			lease(t, store, s.prefix+"s4:acmei1:8", LeaseRequest{}, Won)
			if err := store.Delete(t.Context(), s.prefix+"s4:acmei1:9", AnyVersion, time.Minute); err != nil {
				t.Fatal(err)
			}
			r, err := m.Audit(t.Context(), AuditConfig{Rate: 1e6})
			got := auditOf(t, r, s.name)
			if err != nil || got.Problems[Undecodable] != 4 || got.Others != 2 || got.Entries != 0 {
				t.Errorf("%+v, %v; want 4 that are undecodable, a lease and a hold-off", got, err)
			}
		})
	}
}
