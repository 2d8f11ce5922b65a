package httpcache

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// control is a Cache-Control header (RFC 9111, section 5.2). Durations below 0 are not
// given.
type control struct {
	noStore, noCache, private, public bool
	mustRevalidate, proxyRevalidate   bool
	onlyIfCached                      bool

	maxAge, sharedMaxAge, whileRevalidate, ifError time.Duration
}

var errControl = errors.New("httpcache: Cache-Control")

// parseControl reads all Cache-Control fields of a header. Directives that it does not know are
// passed over, as the RFC demands; a known one that is written badly, or given twice with
// different values, is an error: whoever gets it must not store.
func parseControl(header http.Header) (control, error) {
	c := control{maxAge: -1, sharedMaxAge: -1, whileRevalidate: -1, ifError: -1}
	for _, field := range header.Values("Cache-Control") {
		for field != "" {
			name, value, rest, err := directive(field)
			if err != nil {
				return c, err
			}
			if field = rest; name == "" {
				continue
			}
			if err := c.set(strings.ToLower(name), value); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

func (c *control) set(name string, value *string) error {
	switch name {
	case "no-store":
		c.noStore = true
	case "no-cache": // with field names too: those would have to be left out
		c.noCache = true
	case "private":
		c.private = true
	case "public":
		c.public = true
	case "must-revalidate":
		c.mustRevalidate = true
	case "proxy-revalidate":
		c.proxyRevalidate = true
	case "only-if-cached":
		c.onlyIfCached = true
	case "max-age":
		return seconds(name, value, &c.maxAge)
	case "s-maxage":
		return seconds(name, value, &c.sharedMaxAge)
	case "stale-while-revalidate":
		return seconds(name, value, &c.whileRevalidate)
	case "stale-if-error":
		return seconds(name, value, &c.ifError)
	}
	return nil
}

// maxSeconds is where RFC 9111 (section 1.2.2) has numbers end.
const maxSeconds = math.MaxInt32

func seconds(name string, value *string, d *time.Duration) error {
	if value == nil || *value == "" {
		return fmt.Errorf("%w: %s without a number of seconds", errControl, name)
	}
	for _, c := range *value {
		if c < '0' || c > '9' {
			return fmt.Errorf("%w: %s=%.40q, want a number of seconds", errControl, name, *value)
		}
	}
	n, err := strconv.ParseUint(*value, 10, 64)
	if err != nil || n > maxSeconds {
		n = maxSeconds
	}
	parsed := time.Duration(n) * time.Second
	if *d >= 0 && *d != parsed {
		return fmt.Errorf("%w: %s twice", errControl, name)
	}
	*d = parsed
	return nil
}

// directive takes the first directive off a list: token [ "=" ( token / quoted ) ].
func directive(field string) (name string, value *string, rest string, err error) {
	field = strings.TrimLeft(field, " \t,")
	if field == "" {
		return "", nil, "", nil
	}
	n := tokenEnd(field)
	if n == 0 {
		return "", nil, "", fmt.Errorf("%w: %.40q, want the name of a directive", errControl, field)
	}
	name, field = field[:n], field[n:]
	if strings.HasPrefix(field, "=") {
		var text string
		if text, field, err = argument(field[1:]); err != nil {
			return "", nil, "", err
		}
		value = &text
	}
	field = strings.TrimLeft(field, " \t")
	if field != "" && field[0] != ',' {
		return "", nil, "", fmt.Errorf("%w: %.40q after %s, want a comma", errControl, field, name)
	}
	return name, value, field, nil
}

func argument(field string) (text, rest string, err error) {
	if !strings.HasPrefix(field, `"`) {
		n := tokenEnd(field)
		return field[:n], field[n:], nil
	}
	var out strings.Builder
	for i := 1; i < len(field); i++ {
		switch field[i] {
		case '"':
			return out.String(), field[i+1:], nil
		case '\\':
			if i++; i == len(field) {
				continue
			}
		}
		out.WriteByte(field[i])
	}
	return "", "", fmt.Errorf("%w: a quotation without an end", errControl)
}

// tokenEnd returns how many characters of a token (RFC 9110, section 5.6.2) a text
// begins with.
func tokenEnd(s string) int {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return i
		}
	}
	return len(s)
}
