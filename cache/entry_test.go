package cache

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// Every bit of an envelope counts: one that is changed is a miss.
func TestEnvelopeCorrupt(t *testing.T) {
	id := identity{1, 2, 3}
	e := envelope{schema: 3, identity: id, version: 9, stored: time.UnixMilli(1), soft: time.UnixMilli(2), hard: time.UnixMilli(3), delta: time.Second, payload: []byte("payload")}
	data := e.encode()
	if got, err := decodeEnvelope(data, 3, id); err != nil || string(got.payload) != "payload" || got.version != 9 || got.delta != time.Second || !got.hard.Equal(e.hard) || !got.soft.Equal(e.soft) || got.stamp != e.stamp {
		t.Fatalf("%+v, %v", got, err)
	}
	for bit := range 8 * len(data) {
		bad := bytes.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeEnvelope(bad, 3, id); err == nil {
			t.Errorf("bit %d changed: no error", bit)
		}
	}
	for n := range len(data) {
		if _, err := decodeEnvelope(data[:n], 3, id); err == nil {
			t.Errorf("%d bytes of it: no error", n)
		}
	}
	if _, err := decodeEnvelope(data, 3, identity{}); !errors.Is(err, errOtherKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := decodeEnvelope(data, 4, id); !errors.Is(err, errOtherSchema) {
		t.Errorf("another schema: %v", err)
	}
	odd := envelope{schema: 3, identity: id, negative: true, payload: []byte("x")}
	if _, err := decodeEnvelope(odd.encode(), 3, id); !errors.Is(err, errNegativeValue) {
		t.Errorf("an absence with a value: %v", err)
	}
	if !t.Failed() {
		proofs.Record(t, proofs.Row{Proof: "envelopes", Got: fmt.Sprintf("%d bits changed and %d cuts: all refused, and so are another key and another schema", 8*len(data), len(data))})
	}
}

// Whatever lies under a key that does not belong there is a miss that is counted,
// over each store, and is replaced.
func TestUselessEntries(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		eve, _ := storeKeyOf(s.prefix, userKey{"evil", 1}, nil, nil)
		entry := func(k storeKey, schema uint32, payload string) []byte {
			e := envelope{schema: schema, identity: k.identity, stored: time.Now(), soft: time.Now().Add(longTTL), hard: time.Now().Add(longTTL), payload: []byte(payload)}
			return e.encode()
		}
		eveJSON := `{"Name":"Eve"}`
		for name, c := range map[string]struct {
			data  []byte
			count func(Stats) uint64
		}{
			"corrupt":      {[]byte("nonsense"), func(s Stats) uint64 { return s.Corrupt }},
			"misplaced":    {entry(eve, 3, eveJSON), func(s Stats) uint64 { return s.Misplaced }},
			"other schema": {entry(k, 2, eveJSON), func(s Stats) uint64 { return s.OtherSchema }},
			"undecodable":  {entry(k, 3, `{"Name":`), func(s Stats) uint64 { return s.Undecodable }},
		} {
			set(t, store, k.text, Entry{Value: c.data, TTL: longTTL})
			before := c.count(s.Stats())
			wantName(t, s, "Ada", FromLoader)
			if n := c.count(s.Stats()) - before; n != 1 {
				t.Errorf("%s: counted %d times, want once", name, n)
			}
			wantName(t, s, "Ada", FromL2)
		}
		proofs.Record(t, proofs.Row{Proof: "useless entries", Got: "4 kinds, each a miss that is counted once and loaded anew"})
	})
}

func TestAES(t *testing.T) {
	oldSecret, newSecret := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 32)
	codec := func(secrets ...[]byte) *AES[user] {
		c, err := NewAES[user](JSON[user]{}, secrets...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	id := []byte("identity")
	sealed, err := codec(oldSecret).Encode(user{Name: "Ada"}, id)
	if err != nil || bytes.Contains(sealed, []byte("Ada")) {
		t.Fatalf("%q, %v", sealed, err)
	}
	if again, err := codec(oldSecret).Encode(user{Name: "Ada"}, id); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice by the same nonce: %x, %v", again, err)
	}
	if v, err := codec(newSecret, oldSecret).Decode(sealed, id); err != nil || v.Name != "Ada" {
		t.Errorf("with the old secret behind: %v, %v", v, err)
	}
	if _, err := codec(newSecret).Decode(sealed, id); !errors.Is(err, errSealed) {
		t.Errorf("without its secret: %v", err)
	}
	if _, err := codec(oldSecret).Decode(sealed, []byte("another key")); !errors.Is(err, errSealed) {
		t.Errorf("under another key: %v", err)
	}
	for _, bad := range [][][]byte{nil, {[]byte("short")}} {
		if _, err := NewAES[user](JSON[user]{}, bad...); !errors.Is(err, ErrConfig) {
			t.Errorf("secrets %v: %v", bad, err)
		}
	}
	// Through a space: what is in the store does not show the value.
	store, src := NewMemory(), newSource()
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Codec = src.load, codec(newSecret) })
	wantName(t, s, "Ada", FromLoader)
	wantName(t, s, "Ada", FromL2)
	for _, c := range store.cells {
		if bytes.Contains(c.value, []byte("Ada")) {
			t.Error("the store has the plain value")
		}
	}
}
