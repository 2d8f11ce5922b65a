package httpcache

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ringway/ringway/cache"
)

// A page that varies is stored under a key for each of its variants, which nobody has a
// list of. So all variants have a tag, which says host, path and query: its version is
// read with each of them, in the same round trip, and counted up by one request. A page
// that does not vary needs none: its only key is deleted.

// Invalidate removes a page, in all its variants, wherever it is kept. The host is that of
// the requests for it, as they name it ("example.com:8080"); path and query are as they
// stand there.
func (c *Cache) Invalidate(ctx context.Context, page *url.URL) error {
	return c.invalidate(ctx, keyOf(page.Host, page))
}

// InvalidateAll removes all pages. With Config.Epochs that is one request; without, it
// goes through all keys of the fleet, twice, some at a time: see
// cache.Space.InvalidatePattern.
func (c *Cache) InvalidateAll(ctx context.Context) error {
	if c.cfg.Epochs {
		return c.space.BumpEpoch(ctx)
	}
	_, err := c.space.InvalidatePattern(ctx, func(*cache.PatternBuilder) {})
	return err
}

// Bypass has this process leave the pages out, from the next request on, until it is
// called with cache.BypassNothing: see cache.Space.Bypass. For all processes there is
// Config.Controls.
func (c *Cache) Bypass(mode cache.Bypass) { c.space.Bypass(mode) }

// Invalidate removes the page that the request would be answered with, in all its
// variants.
func (h *Handler) Invalidate(ctx context.Context, r *http.Request) error {
	return h.of.invalidate(ctx, keyOf(r.Host, r.URL))
}

// invalidate removes pages in all variants: keys without axes.
func (c *Cache) invalidate(ctx context.Context, pages ...pageKey) error {
	if !c.varies() {
		return c.space.InvalidateMany(ctx, pages)
	}
	tags := make([]cache.Tag, len(pages))
	for i, p := range pages {
		tags[i] = c.tagOf(p)
	}
	return c.space.InvalidateTags(ctx, tags...)
}

func (c *Cache) varies() bool { return len(c.cfg.Vary) > 0 }

// tagOf is the tag of all variants of a page: "svc:pages example.com/a?b=1". Should two
// pages ever have one, both go.
func (c *Cache) tagOf(k pageKey) cache.Tag {
	return cache.Tag{Name: c.cfg.Name + " " + k.host + k.url().RequestURI()}
}

// tagsOf are the tags of a variant.
func (c *Cache) tagsOf(k pageKey) (tags []cache.Tag) {
	if c.varies() {
		tags = append(tags, c.tagOf(k))
	}
	if c.cfg.Tags != nil {
		tags = append(tags, c.cfg.Tags(k.url())...)
	}
	return tags
}

// url is what was asked for, as far as the key knows it.
func (k pageKey) url() *url.URL {
	u := &url.URL{Host: k.host, RawPath: k.path, RawQuery: k.query}
	if path, err := url.PathUnescape(k.path); err == nil {
		u.Path = path
	} else {
		u.Path, u.RawPath = k.path, ""
	}
	return u
}

// keyOf is the key of a page without its axes.
func keyOf(host string, u *url.URL) pageKey {
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return pageKey{host: host, path: path, query: u.RawQuery}
}

// write passes a request that may change something on, and invalidates if it succeeds:
// the page that it names, and those that the response names as made or changed, if they
// are of the same origin (RFC 9111, section 4.4).
func (h *Handler) write(w http.ResponseWriter, r *http.Request) {
	page := keyOf(r.Host, r.URL) // before the handler may change the request
	base := &url.URL{Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	seen := &statusWriter{ResponseWriter: w}
	h.next.ServeHTTP(seen, r)
	safe := r.Method == http.MethodOptions || r.Method == http.MethodTrace
	if safe || seen.status >= 400 {
		return
	}
	pages := []pageKey{page}
	for _, name := range []string{"Location", "Content-Location"} {
		if u, err := base.Parse(w.Header().Get(name)); err == nil && sameOrigin(u, r) {
			pages = append(pages, keyOf(r.Host, u))
		}
	}
	// A client that has gone must not keep it from being done.
	err := h.of.invalidate(context.WithoutCancel(r.Context()), pages...)
	if err != nil && !errors.Is(err, cache.ErrNotInvalidated) { // which is counted, and repeated
		h.missed(err)
	}
}

// sameOrigin says whether a reference is of the origin that was asked. Where the request
// did not come by TLS it is not known whether the client's did, to whoever stands before
// this process: then either scheme is the same.
func sameOrigin(u *url.URL, r *http.Request) bool {
	switch u.Scheme {
	case "", "https":
	case "http":
		if r.TLS != nil {
			return false
		}
	default:
		return false
	}
	return u.Opaque == "" && strings.EqualFold(withoutPort(u.Host), withoutPort(r.Host))
}

// withoutPort leaves the ports out that http and https have without being told.
func withoutPort(host string) string {
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
}

type statusWriter struct {
	http.ResponseWriter
	status int // the final one; 0: not written, which is 200
}

// WriteHeader is http.ResponseWriter.WriteHeader.
func (s *statusWriter) WriteHeader(status int) {
	if s.status < http.StatusOK { // 103 Early Hints goes before
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

// Write is http.ResponseWriter.Write.
func (s *statusWriter) Write(data []byte) (int, error) {
	if s.status < http.StatusOK {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(data)
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
