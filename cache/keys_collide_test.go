package cache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/proofs"
)

// Keys of random fields, of few letters so that many are alike: two have the same text
// only if they have the same fields. A million of them with RINGWAY_SOAK=1; FuzzKeys
// looks for more.
func TestKeysCollide(t *testing.T) {
	const seed = 23
	r := rand.New(rand.NewPCG(seed, 0))
	keys := soak(20_000, 1_000_000)
	meanings := make(map[string]string) // by the text of the key
	texts := make(map[string]string)    // by what the fields mean
	identities := make(map[identity]string)
	for range keys {
		f := fields{randomScript(r)}
		k, err := storeKeyOf("user/3/", f, nil, secret)
		if err != nil {
			t.Fatal(err)
		}
		meaning := f.canonical()
		for what, other := range map[string]string{"text": meanings[k.text], "identity": identities[k.identity]} {
			if other != "" && other != meaning {
				t.Fatalf("%s and %s have the same %s: %q (seed %d)", other, meaning, what, k.text, seed)
			}
		}
		if text, found := texts[meaning]; found && text != k.text {
			t.Fatalf("%s has the keys %q and %q (seed %d)", meaning, text, k.text, seed)
		}
		meanings[k.text], texts[meaning], identities[k.identity] = meaning, k.text, meaning
	}
	if len(meanings) == keys {
		t.Error("no key came twice: the test shows nothing")
	}
	proofs.Record(t, proofs.Row{Proof: "keys at random", Got: fmt.Sprintf("%d keys of %d different meanings: %d texts and %d identities", keys, len(texts), len(meanings), len(identities)), Seed: seed})
}

// randomScript is what FuzzKeys takes: fields with their kind first.
func randomScript(r *rand.Rand) string {
	const letters = "01as:%/{ \x00"
	var parts []string
	for range 1 + r.IntN(3) {
		part := []byte{byte('0' + r.IntN(6))}
		for range r.IntN(4) {
			part = append(part, letters[r.IntN(len(letters))])
		}
		parts = append(parts, string(part))
	}
	return strings.Join(parts, "\xff")
}
