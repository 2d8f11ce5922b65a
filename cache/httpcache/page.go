package httpcache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// page is a stored response.
type page struct {
	Status int
	Header http.Header // without what belongs to one connection
	Born   time.Time   // when it was made, by the clock of the process that made it
	Old    time.Duration
	Fresh  time.Duration // since Born, how long it is fresh
	While  time.Duration // after that, how long it may be handed out while it is made anew
	Error  time.Duration // likewise, if that fails

	body []byte
}

// age is RFC 9111's current age, section 4.2.3.
func (p *page) age(now time.Time) time.Duration { return p.Old + max(0, now.Sub(p.Born)) }

func (p *page) fresh(now time.Time) bool { return p.age(now) < p.Fresh }

// within says whether the page may be handed out that long after its end.
func (p *page) within(now time.Time, more time.Duration) bool { return p.age(now) < p.Fresh+more }

// codec stores pages: the length of the head in 4 bytes, the head in JSON, the body.
type codec struct{}

var errPage = errors.New("httpcache: not a stored response")

// Encode is cache.Codec.Encode.
func (codec) Encode(p page, _ []byte) ([]byte, error) {
	head, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(head)+len(p.body)), uint32(len(head)))
	return append(append(out, head...), p.body...), nil
}

// Decode is cache.Codec.Decode. The body is a copy.
func (codec) Decode(data, _ []byte) (p page, err error) {
	if len(data) < 4 {
		return p, errPage
	}
	n := uint64(binary.BigEndian.Uint32(data))
	if data = data[4:]; n > uint64(len(data)) {
		return p, errPage
	}
	if err := json.Unmarshal(data[:n], &p); err != nil {
		return p, fmt.Errorf("%w: %w", errPage, err)
	}
	if p.Status < 200 || p.Status > 599 {
		return page{}, errPage
	}
	p.body = slices.Clone(data[n:])
	return p, nil
}

// storable are the statuses that may be stored (RFC 9110, section 15.1), but for 206,
// which is a part.
var storable = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}

// ofOneConnection are the fields that are not stored (RFC 9111, section 3.1).
var ofOneConnection = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info",
	"Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Age", "X-Cache"}

// store decides whether a response may be stored, and makes the page.
func (h *Handler) store(status int, header http.Header, body []byte, now time.Time) (page, bool) {
	c, err := parseControl(header)
	switch {
	case err != nil, c.noStore, c.private, c.noCache, !slices.Contains(storable, status),
		len(header.Values("Set-Cookie")) > 0, len(header.Values("Content-Range")) > 0, len(header.Values("Trailer")) > 0, !h.variesBy(header):
		return page{}, false
	}
	p := page{Status: status, Header: header.Clone(), Born: now, body: body}
	life, said := lifeOf(c, header, now)
	if !said {
		life = h.cfg.TTL
	}
	if p.Old, said = ageOf(header); !said {
		return page{}, false
	}
	p.Fresh = life
	// For a shared cache s-maxage is proxy-revalidate too (RFC 9111, section 5.2.2.10),
	// and whichever of them is there, nothing stale is to be handed out (4.2.4): what
	// RFC 5861 allows beside makes no exception of that.
	if !c.mustRevalidate && !c.proxyRevalidate && c.sharedMaxAge < 0 {
		p.While, p.Error = max(0, c.whileRevalidate), max(0, c.ifError)
	}
	for _, field := range header.Values("Connection") {
		for name := range strings.SplitSeq(field, ",") {
			p.Header.Del(textproto.TrimString(name))
		}
	}
	for _, name := range ofOneConnection {
		p.Header.Del(name)
	}
	if p.Header.Get("Date") == "" {
		p.Header.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	return p, p.Fresh > p.Old
}

// lifeOf returns how long a response says that it is fresh.
func lifeOf(c control, header http.Header, now time.Time) (life time.Duration, said bool) {
	switch {
	case c.sharedMaxAge >= 0:
		return c.sharedMaxAge, true
	case c.maxAge >= 0:
		return c.maxAge, true
	case len(header.Values("Expires")) > 0:
		expires, err := http.ParseTime(header.Get("Expires"))
		if err != nil || len(header.Values("Expires")) > 1 {
			return 0, true // one that cannot be read is in the past
		}
		if date, err := http.ParseTime(header.Get("Date")); err == nil {
			now = date
		}
		return max(0, expires.Sub(now)), true
	}
	return 0, false
}

// ageOf returns how old the response was when it came.
func ageOf(header http.Header) (time.Duration, bool) {
	text := header.Get("Age")
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return time.Duration(n) * time.Second, err == nil
}

// variesBy says whether the key has all axes that the response varies on.
func (h *Handler) variesBy(header http.Header) bool {
	for _, field := range header.Values("Vary") {
		for name := range strings.SplitSeq(field, ",") {
			if name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)); name != "" && !slices.Contains(h.cfg.Vary, name) {
				return false
			}
		}
	}
	return true
}
