package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// MaxSessionToken is the longest token, in bytes: it fits into a cookie or a header.
const MaxSessionToken = 2200

// Tokens are, before base64 (of RFC 4648, section 5, without padding):
//
//	version 1 · until 4 · notes … · signature 16
//	note: key 8 · flags 1 · until 4 · version (uvarint)
//
// Times are in seconds since 1970, rounded up. The signature is part of an
// HMAC-SHA-256 under the secret, or without one of a plain SHA-256, against accidents.
const (
	tokenVersion   = 1
	tokenSignature = 16
	tokenBlind     = 1
)

// ErrSessionToken: ParseSession was given something else than a token that was made
// under the same secret.
var ErrSessionToken = errors.New("cache: not a session token")

// Token returns the session as a text of letters, digits, '-' and '_', at most
// MaxSessionToken bytes, for a cookie or a header. Of keys it has a part of a hash.
// With a secret it is signed; give one wherever clients could make tokens up: those
// would have the source asked for each Get of theirs.
func (s *Session) Token(secret []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := []byte{tokenVersion}
	b = binary.BigEndian.AppendUint32(b, seconds(s.until))
	for _, n := range s.notes {
		b = binary.BigEndian.AppendUint64(b, n.key)
		flags := byte(0)
		if n.blind {
			flags = tokenBlind
		}
		b = binary.BigEndian.AppendUint32(append(b, flags), seconds(n.until))
		b = binary.AppendUvarint(b, n.version)
	}
	return encodeToken(append(b, signatureOf(b, secret)...))
}

func encodeToken(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func seconds(t time.Time) uint32 {
	if t.IsZero() {
		return 0
	}
	return uint32(min(t.Add(time.Second-1).Unix(), 1<<32-1))
}

func signatureOf(b, secret []byte) []byte {
	if len(secret) == 0 {
		sum := sha256.Sum256(b)
		return sum[:tokenSignature]
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("ringway session "))
	mac.Write(b)
	return mac.Sum(nil)[:tokenSignature]
}

// ParseSession returns the session of a token, or an error that matches
// ErrSessionToken. An empty one is a new session. Where a token is refused, a new
// session is what is left: it promises nothing of before.
func ParseSession(token string, secret []byte) (*Session, error) {
	if token == "" {
		return NewSession(), nil
	}
	if len(token) > MaxSessionToken {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrSessionToken, len(token), MaxSessionToken)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 5+tokenSignature || raw[0] != tokenVersion {
		return nil, fmt.Errorf("%w: %d bytes of another form", ErrSessionToken, len(token))
	}
	body, signature := raw[:len(raw)-tokenSignature], raw[len(raw)-tokenSignature:]
	if !hmac.Equal(signature, signatureOf(body, secret)) {
		return nil, fmt.Errorf("%w: the signature is another one", ErrSessionToken)
	}
	now := time.Now()
	s := &Session{until: untilOf(body[1:], now)}
	for rest := body[5:]; len(rest) > 0; {
		if len(rest) < 13 || len(s.notes) == maxNotes {
			return nil, fmt.Errorf("%w: it ends within a note, or has more than %d", ErrSessionToken, maxNotes)
		}
		n := note{key: binary.BigEndian.Uint64(rest), blind: rest[8]&tokenBlind != 0, until: untilOf(rest[9:], now)}
		version, size := binary.Uvarint(rest[13:])
		if size <= 0 {
			return nil, fmt.Errorf("%w: it ends within a note", ErrSessionToken)
		}
		n.version = version
		s.notes, rest = append(s.notes, n), rest[13+size:]
	}
	return s, nil
}

// untilOf never is further away than a value lives.
func untilOf(b []byte, now time.Time) time.Time {
	n := binary.BigEndian.Uint32(b)
	if n == 0 {
		return time.Time{}
	}
	if t := time.Unix(int64(n), 0); t.Before(now.Add(maxTTL)) {
		return t
	}
	return now.Add(maxTTL)
}
