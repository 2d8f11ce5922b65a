package memcache

import (
	"math"
	"strconv"
	"time"
)

// longestRelative is the largest time to live, in seconds, that the server
// takes as one. A larger number it takes as a point in time, in seconds since
// 1970: protocol.txt, "Expiration times".
const longestRelative = 30 * 24 * 60 * 60

// Expiry is a time to live that may also be left out: the zero value leaves the
// feature alone, ExpireIn(0) means for ever.
type Expiry struct {
	set bool
	ttl time.Duration
}

// ExpireIn is the Expiry that ends ttl from now, rounded as Item.TTL is.
func ExpireIn(ttl time.Duration) Expiry { return Expiry{set: true, ttl: ttl} }

// TTL returns the time to live, and false if it is left out.
func (x Expiry) TTL() (ttl time.Duration, set bool) { return x.ttl, x.set }

// Within returns the Expiry that ends after limit at the latest; for ever is cut
// too. The zero value stays what it is.
func (x Expiry) Within(limit time.Duration) Expiry {
	if x.set && (x.ttl == 0 || x.ttl > limit) {
		x.ttl = limit
	}
	return x
}

// appendTTL writes a time to live as the server wants it, by the rules that
// Item.TTL documents.
func appendTTL(dst []byte, ttl time.Duration, now func() time.Time) []byte {
	switch {
	case ttl == 0:
		return append(dst, '0')
	case ttl < 0:
		return append(dst, "-1"...)
	}
	seconds := int64(ttl / time.Second)
	if ttl%time.Second != 0 {
		seconds++
	}
	if seconds > longestRelative {
		// The server reads 32 bits with a sign, and an item whose number is
		// larger is gone at once: measured on 1.6.18.
		seconds = min(now().Unix()+seconds, math.MaxInt32)
	}
	return strconv.AppendInt(dst, seconds, 10)
}
