package httpcache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ringway/ringway/cache"
)

// Config describes the pages of a handler. Name is required; of everything else the
// zero value is safe.
type Config struct {
	Name string // of the space: see cache.SpaceConfig.Name

	// Vary are the request headers that are axes of the key: what the handler
	// looks at, such as Accept-Language, Accept-Encoding. Each different value is
	// another variant of the page. All variants of one page have a tag in common, by
	// which they are invalidated: see cache.TagsConfig. So the store has to be a
	// cache.Tagger, as all of package cache are.
	Vary []string

	TTL      time.Duration // of responses that do not say how long they are fresh; 0: they are not stored
	MaxBytes int64         // of a body; 0 means 1 MB. Larger ones are not stored
	Timeout  time.Duration // how long others wait for the one who runs the handler; 0 means 30 s

	L1     cache.L1Config     // pages in this process, off by default
	Limits cache.LimitConfig  // how many handlers run at a time, for pages that are missing; one too many gets an old page or 503
	OnMiss func(reason error) // is told why a response was not stored; nil: nobody is

	// Tags are what pages have in common beside host, path and query, for
	// cache.Manager.InvalidateTags: 7 at most, known before the handler is run. The
	// URL has the host. nil: none.
	Tags func(page *url.URL) []cache.Tag

	// Epochs and Controls are those of cache.SpaceConfig: with the one InvalidateAll is
	// one request, with the other the pages do as an operator says
	// ("ringway cache bypass"). Each costs a small read a process, every half second and
	// every second.
	Epochs   bool
	Controls bool
}

// Handler is what stands before one handler. It is safe for concurrent use.
type Handler struct {
	of    *Cache
	cfg   Config
	space *cache.Space[pageKey, page]
	next  http.Handler
	pass  passes
	anew  sync.Map // of pageKey: pages that are made anew behind a stale one
}

// Cache has the pages of a manager. It is safe for concurrent use.
type Cache struct {
	cfg   Config
	space *cache.Space[pageKey, page]
}

// pageKey is what a page is stored under.
type pageKey struct{ host, path, query, axes string }

// AppendKey implements cache.Key.
func (k pageKey) AppendKey(b *cache.KeyBuilder) {
	b.String(k.host)
	b.String(k.path)
	b.String(k.query)
	b.String(k.axes)
}

// New returns a cache of pages, or an error that matches cache.ErrConfig.
func New(m *cache.Manager, cfg Config) (*Cache, error) {
	if cfg.MaxBytes < 0 || cfg.Timeout < 0 || cfg.TTL < 0 {
		return nil, fmt.Errorf("%w: httpcache: MaxBytes %d, Timeout %v, TTL %v, want none below 0", cache.ErrConfig, cfg.MaxBytes, cfg.Timeout, cfg.TTL)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 20
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	cfg.Vary = slices.Clone(cfg.Vary)
	for i, name := range cfg.Vary {
		cfg.Vary[i] = textproto.CanonicalMIMEHeaderKey(name)
	}
	slices.Sort(cfg.Vary)
	c := &Cache{cfg: cfg}
	spaced := cache.SpaceConfig[pageKey, page]{
		Name: cfg.Name, Schema: 1, Axes: []string{"host", "path", "query", "vary"}, Codec: codec{}, L1: cfg.L1, Limit: cfg.Limits,
		Epochs: cfg.Epochs, Controls: cfg.Controls,
		// How long a page is fresh, and how it may be stale, it says itself.
		Life:  cache.LifeConfig{NoJitter: true, NoStaleOnError: true, NoNegative: true},
		Loads: cache.LoadsConfig{Timeout: cfg.Timeout},
	}
	if c.varies() || cfg.Tags != nil {
		spaced.Tags.OfKey = c.tagsOf
	}
	var err error
	if c.space, err = cache.NewSpace(m, spaced); err != nil {
		return nil, err
	}
	return c, nil
}

// Wrap returns a handler that answers from the cache, and else by next. All handlers of
// a cache share its pages: they are to have hosts or paths of their own.
func (c *Cache) Wrap(next http.Handler) *Handler {
	return &Handler{of: c, cfg: c.cfg, space: c.space, next: next}
}

// Stats returns what the space of the pages has counted.
func (c *Cache) Stats() cache.Stats { return c.space.Stats() }

func (h *Handler) key(r *http.Request) pageKey {
	k := keyOf(r.Host, r.URL)
	for _, name := range h.cfg.Vary {
		values := r.Header.Values(name)
		k.axes += fmt.Sprintf("%d;", len(values)) // so that two different lists never look alike
		for _, v := range values {
			k.axes += fmt.Sprintf("%d:%s", len(v), v)
		}
	}
	return k
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked, err := parseControl(r.Header)
	if err != nil {
		asked = control{noStore: true} // not understood: past the cache
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.write(w, r)
		return
	case asked.noStore, r.Header.Get("Authorization") != "", r.Header.Get("Range") != "", r.Header.Get("If-Match") != "",
		r.Header.Get("If-Unmodified-Since") != "", r.Header.Get("Upgrade") != "", r.ContentLength != 0:
		h.next.ServeHTTP(w, r)
		return
	}
	h.read(w, r, asked)
}

// read answers a GET or HEAD.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, asked control) {
	key, now := h.key(r), time.Now()
	p, _, err := h.space.GetWith(r.Context(), key, nil) // looks, and loads nothing
	found := err == nil
	anew := asked.noCache || asked.maxAge == 0 || len(r.Header["Cache-Control"]) == 0 && r.Header.Get("Pragma") == "no-cache"
	switch {
	case found && !anew && (asked.maxAge < 0 || p.age(now) <= asked.maxAge) && p.fresh(now):
		serve(w, r, &p, "hit")
		return
	case found && !anew && asked.maxAge < 0 && p.within(now, p.While):
		h.revalidate(r, key)
		serve(w, r, &p, "stale")
		return
	case asked.onlyIfCached:
		http.Error(w, "not cached", http.StatusGatewayTimeout)
		return
	case r.Method == http.MethodHead, h.pass.has(key, now): // nothing to be stored, or nothing that was
		h.next.ServeHTTP(w, r)
		return
	}
	if !found {
		p = page{}
	}
	h.produce(w, r, key, p, anew)
}

// revalidate runs the handler in the background, for one process in the fleet.
func (h *Handler) revalidate(r *http.Request, key pageKey) {
	if _, busy := h.anew.LoadOrStore(key, true); busy {
		return
	}
	run := h.begin(nil, r, key)
	go func() {
		defer h.anew.Delete(key)
		defer run.leave()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), h.cfg.Timeout)
		defer cancel()
		_, _, err := h.space.Reload(ctx, key, run.load, stillFresh)
		h.missed(err)
	}()
}

func stillFresh(p page) bool { return p.fresh(time.Now()) }

// retryAfter is when a caller who was one too many may come again, in seconds: the least
// that the field can say, for a place is free as soon as one handler has returned.
const retryAfter = "1"

// produce runs the handler, or waits for whoever does. old is what is stored, if
// anything is.
func (h *Handler) produce(w http.ResponseWriter, r *http.Request, key pageKey, old page, anew bool) {
	run := h.begin(w, r, key)
	defer run.leave()
	enough := stillFresh
	if anew {
		enough = nil
	}
	p, meta, err := h.space.Reload(r.Context(), key, run.load, enough)
	switch {
	case err == nil && meta.Hit():
		serve(w, r, &p, "hit") // another process was quicker
		return
	case err == nil:
		serve(w, r, &p, "miss")
		return
	}
	h.missed(err)
	shed := errors.Is(err, cache.ErrShed)
	if failed := (*serverError)(nil); shed || errors.As(err, &failed) {
		if now := time.Now(); old.Status != 0 && old.within(now, old.Error) {
			serve(w, r, &old, "stale")
			return
		}
	}
	switch {
	case run.deliver(r.Context()):
		return
	case shed:
		w.Header().Set("Retry-After", retryAfter)
		http.Error(w, "too many requests at a time", http.StatusServiceUnavailable)
		return
	}
	if r.Context().Err() == nil { // it was another caller's response, which is not for this one
		h.next.ServeHTTP(w, r)
	}
}

func (h *Handler) missed(err error) {
	if err != nil && h.cfg.OnMiss != nil {
		h.cfg.OnMiss(err)
	}
}
