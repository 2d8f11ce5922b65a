package cache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// AES is a codec that encrypts what another codec makes with AES-GCM (NIST SP
// 800-38D). The identity of the key is authenticated too: an entry that was copied
// under another key does not decode. Make one with NewAES.
type AES[V any] struct {
	inner Codec[V]
	seals []seal // the first encrypts, all decrypt
}

type seal struct {
	id   [sealIDSize]byte // the beginning of a hash of the secret: tells which one to decrypt with
	aead cipher.AEAD
}

const sealIDSize = 4

var errSealed = errors.New("cache: decode: not encrypted with a known secret for this key")

// NewAES returns a codec that encrypts what inner makes. A secret is 16, 24 or 32
// random bytes. The first encrypts; the others, older ones, only decrypt, so that
// secrets can be replaced while entries live: add the new one behind, on all
// services, then move it to the front. The nonce is random: replace a secret
// before it has encrypted 2^32 values.
func NewAES[V any](inner Codec[V], secrets ...[]byte) (*AES[V], error) {
	if isNil(inner) {
		return nil, configError("inner codec", fmt.Sprintf("nil (%T)", inner), "one")
	}
	if len(secrets) == 0 {
		return nil, configError("secrets", "none", "one at least")
	}
	a := &AES[V]{inner: inner}
	for i, secret := range secrets {
		block, err := aes.NewCipher(secret)
		if err != nil {
			return nil, configError(fmt.Sprintf("secret %d", i), fmt.Sprint(len(secret), " bytes"), "16, 24 or 32")
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("cache: AES-GCM: %w", err)
		}
		sum := sha256.Sum256(secret)
		a.seals = append(a.seals, seal{id: [sealIDSize]byte(sum[:]), aead: aead})
	}
	return a, nil
}

// Encode returns the secret's mark, the nonce and what was encrypted.
func (a *AES[V]) Encode(value V, identity []byte) ([]byte, error) {
	plain, err := a.inner.Encode(value, identity)
	if err != nil {
		return nil, err
	}
	s := a.seals[0]
	head := sealIDSize + s.aead.NonceSize()
	out := make([]byte, head, head+len(plain)+s.aead.Overhead())
	copy(out, s.id[:])
	_, _ = rand.Read(out[sealIDSize:head]) // it never fails: crypto/rand ends the program instead
	return s.aead.Seal(out, out[sealIDSize:head], plain, identity), nil
}

// Decode fails for data that was not made by Encode with one of the secrets for
// the same key.
func (a *AES[V]) Decode(data, identity []byte) (value V, err error) {
	for _, s := range a.seals {
		head := sealIDSize + s.aead.NonceSize()
		if len(data) < head || !bytes.Equal(data[:sealIDSize], s.id[:]) {
			continue
		}
		plain, err := s.aead.Open(nil, data[sealIDSize:head], data[head:], identity)
		if err != nil {
			continue
		}
		return a.inner.Decode(plain, identity)
	}
	return value, errSealed
}
