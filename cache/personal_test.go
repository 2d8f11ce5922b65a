package cache

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// mailKey has a personal field beside a plain one.
type mailKey struct {
	Tenant, Mail string
}

func (k mailKey) AppendKey(b *KeyBuilder) {
	b.String(k.Tenant)
	b.Personal(k.Mail)
}

var (
	secret = bytes.Repeat([]byte{1}, 32)
	mail   = mailKey{"acme", "ada@example.org"}
)

func mailText(t *testing.T, prefix string, k mailKey, secret []byte) storeKey {
	t.Helper()
	got, err := storeKeyOf(prefix, k, nil, secret)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestPersonal(t *testing.T) {
	k := mailText(t, "user/3/", mail, secret)
	// HMAC-SHA-256 of "user/3/", a zero and the address, computed with openssl.
	const want = "user/3/s4:acmep32:dc01573c785cd01bb84060ca5604caaf"
	if k.text != want {
		t.Errorf("key %q, want %q", k.text, want)
	}
	if k2 := mailText(t, "user/3/", mail, secret); k2.text != k.text || k2.identity != k.identity {
		t.Error("not the same twice")
	}
	for name, other := range map[string]storeKey{
		"another address": mailText(t, "user/3/", mailKey{"acme", "eve@example.org"}, secret),
		"another secret":  mailText(t, "user/3/", mail, bytes.Repeat([]byte{2}, 32)),
		"another space":   mailText(t, "user/4/", mail, secret),
	} {
		if strings.HasSuffix(other.text, k.text[len(k.text)-32:]) || other.identity == k.identity {
			t.Errorf("%s: the same hash in %q", name, other.text)
		}
	}
	var keyError *KeyError
	if _, err := storeKeyOf("user/3/", mail, nil, nil); !errors.As(err, &keyError) || strings.Contains(err.Error(), "ada") {
		t.Errorf("no secret: %v", err)
	}
	for _, n := range []int{1, 15, 65} {
		if _, err := NewManager(ManagerConfig{Store: NewMemory(), Secret: make([]byte, n)}); !errors.Is(err, ErrConfig) {
			t.Errorf("a secret of %d bytes: %v", n, err)
		}
	}
}

// Through a space: nothing that the store is given shows the address, whatever is
// done, and neither do the messages of the bus.
func TestPersonalIsNotSent(t *testing.T) {
	store := &spyStore{Memory: NewMemory()}
	m, err := NewManager(ManagerConfig{Store: store, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := NewSpace(m, SpaceConfig[mailKey, int]{Name: "by-mail",
		Load: func(context.Context, mailKey) (Loaded[int], error) { return Loaded[int]{Value: 7}, nil },
		Save: func(context.Context, mailKey, int) (uint64, error) { return 1, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if v, _, err := s.Get(t.Context(), mail); err != nil || v != 7 {
			t.Fatal(v, err)
		}
	}
	_, err = s.Incr(t.Context(), mail, 1)
	if err := errors.Join(err, s.Put(t.Context(), mail, 8), s.Invalidate(t.Context(), mail)); err != nil {
		t.Fatal(err)
	}
	if len(store.cells) == 0 {
		t.Error("nothing was sent: the test shows nothing")
	}
	for _, sent := range store.sent {
		if strings.Contains(sent, "ada") || strings.Contains(sent, hex.EncodeToString([]byte("ada"))) {
			t.Errorf("sent: %q", sent)
		}
	}
}

// spyStore writes down keys and values. It is for one goroutine at a time.
type spyStore struct {
	*Memory
	sent []string
}

func (s *spyStore) Get(ctx context.Context, key string) (Entry, error) {
	s.sent = append(s.sent, key)
	return s.Memory.Get(ctx, key)
}

func (s *spyStore) Set(ctx context.Context, key string, e Entry) (bool, error) {
	s.sent = append(s.sent, key, string(e.Value))
	return s.Memory.Set(ctx, key, e)
}

func (s *spyStore) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	s.sent = append(s.sent, key, string(e.Value))
	return s.Memory.Fill(ctx, key, l, e)
}
