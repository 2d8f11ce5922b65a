package observer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ringOf is what an agent answers at an epoch, for a fleet of these nodes.
func ringOf(t testing.TB, epoch uint64, ids ...string) agentapi.Ring {
	t.Helper()
	var members []membership.Member
	for _, id := range ids {
		members = append(members, membership.Member{ID: id, Address: id + ":6379"})
	}
	return ringOfMembers(t, epoch, members...)
}

func ringOfMembers(t testing.TB, epoch uint64, members ...membership.Member) agentapi.Ring {
	t.Helper()
	v, err := membership.NewView(epoch, members...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := agentapi.PlacementOf(ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := agentapi.RingOf(v, p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// fakeAgent answers as agents do, or as a test wants.
type fakeAgent struct {
	mu      sync.Mutex
	text    []byte // its ring
	epoch   uint64
	changed chan struct{}
	instead http.HandlerFunc // answers in its place, if not nil
	asked   []string         // the queries, in order
	noETag  bool             // it knows the epoch alone
	noWait  bool             // it answers at once, always
}

func newFakeAgent(t testing.TB, r agentapi.Ring) *fakeAgent {
	a := &fakeAgent{changed: make(chan struct{})}
	a.say(t, r)
	return a
}

// say makes it answer another ring from now on.
func (a *fakeAgent) say(t testing.TB, r agentapi.Ring) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text, a.epoch, a.instead = text, r.Epoch, nil
	close(a.changed)
	a.changed = make(chan struct{})
}

// fail makes it answer in another way until it says a ring again.
func (a *fakeAgent) fail(how http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.instead = how
	close(a.changed)
	a.changed = make(chan struct{})
}

// questions returns what it was asked so far.
func (a *fakeAgent) questions() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.asked)
}

func (a *fakeAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	waits := err == nil
	end := time.NewTimer(agentapi.MaxWait)
	defer end.Stop()
	a.mu.Lock()
	a.asked = append(a.asked, r.URL.RawQuery)
	a.mu.Unlock()
	for late := false; ; {
		a.mu.Lock()
		text, epoch, changed, instead := a.text, a.epoch, a.changed, a.instead
		waits = waits && !a.noWait
		etag := fmt.Sprintf(`"%d-%d"`, epoch, len(text))
		if a.noETag {
			etag = ""
		}
		a.mu.Unlock()
		seen := r.Header.Get("If-None-Match")
		switch {
		case instead != nil:
			instead(w, r)
			return
		case waits && !late && epoch <= after && (seen == "" || seen == etag):
		case waits && seen != "" && seen == etag:
			w.WriteHeader(http.StatusNotModified)
			return
		default:
			if etag != "" {
				w.Header().Set("ETag", etag)
			}
			w.Write(text)
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-end.C:
			late = true
		}
	}
}

func hang(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no\x00\xff such luck", code) }
}

// network carries questions to the agents of its host names without a socket, so
// that time may be virtual.
type network map[string]http.Handler

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	n[r.URL.Host].ServeHTTP(answer, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return answer.Result(), nil
}

// errorLog keeps what OnError is told.
type errorLog struct {
	mu   sync.Mutex
	told []string
}

func (l *errorLog) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, err.Error())
}

// take returns what was told since it was asked last.
func (l *errorLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := l.told
	l.told = nil
	return told
}

// virtual is an observer of agents "a", "b" … over a network, in virtual time.
type virtual struct {
	*Observer
	t       *testing.T
	errors  *errorLog
	version uint64
}

func observe(t *testing.T, agents ...*fakeAgent) *virtual {
	t.Helper()
	net, cfg := network{}, Config{}
	for i, a := range agents {
		host := string(rune('a' + i))
		net[host] = a
		cfg.Agents = append(cfg.Agents, "http://"+host)
	}
	cfg.Transport = net
	v := &virtual{t: t, errors: new(errorLog)}
	cfg.OnError = v.errors.add
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	if v.Observer, err = New(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	synctest.Wait() // each agent has been asked
	return v
}

// next waits for a newer view; it fails the test if none comes within a time.
func (v *virtual) next(within time.Duration) membership.View {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), within)
	defer cancel()
	view, err := v.Next(ctx, v.version)
	if err != nil {
		v.t.Fatalf("no newer view than version %d within %v: %v", v.version, within, err)
	}
	v.version = view.Version
	return view
}

// quiet fails the test if a newer view comes within a time.
func (v *virtual) quiet(during time.Duration) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), during)
	defer cancel()
	if view, err := v.Next(ctx, v.version); err == nil {
		v.t.Fatalf("another view: %+v", view)
	}
}

// told fails the test unless exactly these were reported, each in part.
func (v *virtual) told(want ...string) {
	v.t.Helper()
	synctest.Wait() // a view comes before what there is to tell of it
	got := v.errors.take()
	ok := len(got) == len(want)
	for i := 0; ok && i < len(got); i++ {
		ok = strings.Contains(got[i], want[i])
	}
	if !ok {
		v.t.Errorf("told %q, want %q", got, want)
	}
}

func idsOf(v membership.View) string {
	var ids []string
	for _, m := range v.Members {
		ids = append(ids, m.ID)
	}
	return strings.Join(ids, " ")
}
