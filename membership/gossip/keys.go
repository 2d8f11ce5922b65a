package gossip

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrNotEncrypted is returned by the methods for keys of a member that was made
// without any.
var ErrNotEncrypted = errors.New("gossip: the member does not encrypt: it was given no keys")

func checkKey(key []byte) error {
	if n := len(key); n != 16 && n != 24 && n != 32 {
		return fmt.Errorf("key: got %d bytes, want 16, 24 or 32", n)
	}
	return nil
}

// AddKey makes the member understand what is encrypted with a further key. To
// replace a key without a pause: AddKey with the new one on every member, then
// UseKey on every member, then RemoveKey with the old one on every member.
func (g *Gossip) AddKey(key []byte) error {
	return g.changeKeys(key, func() error { return g.keyring.AddKey(bytes.Clone(key)) })
}

// UseKey makes the member encrypt with a key that was added before.
func (g *Gossip) UseKey(key []byte) error {
	return g.changeKeys(key, func() error { return g.keyring.UseKey(key) })
}

// RemoveKey makes the member forget a key. The one in use cannot be removed.
func (g *Gossip) RemoveKey(key []byte) error {
	return g.changeKeys(key, func() error { return g.removeKey(key) })
}

func (g *Gossip) changeKeys(key []byte, change func() error) error {
	if g.keyring == nil {
		return ErrNotEncrypted
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	g.keysMu.Lock()
	defer g.keysMu.Unlock()
	if err := change(); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// removeKey removes the keys behind the one to go too, from the end, and adds
// them again. memberlist's Keyring moves what is behind a removed key forward
// within the slice that receivers read without its lock: if nothing is behind,
// nothing moves. What comes in that moment with such a key is lost, as any
// packet may be.
func (g *Gossip) removeKey(key []byte) error {
	keys := g.keyring.GetKeys()
	at := -1
	for i, k := range keys {
		if bytes.Equal(k, key) {
			at = i
		}
	}
	switch {
	case at < 0:
		return errors.New("remove key: the member does not have it")
	case at == 0:
		return errors.New("remove key: the member encrypts with it; use another one first")
	}
	for i := len(keys) - 1; i >= at; i-- {
		if err := g.keyring.RemoveKey(keys[i]); err != nil {
			return err
		}
	}
	for _, k := range keys[at+1:] {
		if err := g.keyring.AddKey(k); err != nil {
			return err
		}
	}
	return nil
}
