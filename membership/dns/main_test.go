package dns

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeResolver answers what it is told to.
type fakeResolver struct {
	mu      sync.Mutex
	records []*net.SRV
	hosts   map[string][]string
	err     error           // of SRV and of hosts
	hangs   bool            // until the context ends
	asked   []time.Time     // when
	names   map[string]bool // what
}

func (f *fakeResolver) LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error) {
	f.mu.Lock()
	f.note(strings.Join([]string{service, proto, name}, " "))
	records, err, hangs := f.records, f.err, f.hangs
	f.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return "", nil, ctx.Err()
	}
	return "", records, err
}

func (f *fakeResolver) LookupHost(ctx context.Context, host string) ([]string, error) {
	f.mu.Lock()
	f.note(host)
	addresses, known := f.hosts[host]
	err, hangs := f.err, f.hangs
	f.mu.Unlock()
	switch {
	case hangs:
		<-ctx.Done()
		return nil, ctx.Err()
	case err == nil && !known:
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return addresses, err
}

func (f *fakeResolver) note(name string) {
	f.asked = append(f.asked, time.Now())
	if f.names == nil {
		f.names = make(map[string]bool)
	}
	f.names[name] = true
}

// set changes what it answers.
func (f *fakeResolver) set(how func(f *fakeResolver)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records, f.hosts, f.err, f.hangs = nil, nil, nil, false
	how(f)
}

func (f *fakeResolver) targets(names ...string) {
	f.set(func(f *fakeResolver) { f.records = srv(names...) })
}

func (f *fakeResolver) times() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]time.Time(nil), f.asked...)
}

// srv returns records for host names, all alike.
func srv(names ...string) (records []*net.SRV) {
	for _, name := range names {
		records = append(records, &net.SRV{Target: name + ".svc.", Port: 6379, Priority: 10, Weight: 33})
	}
	return records
}

// timeOut is an error as the net package makes it, with another port each time.
func timeOut(port int) error {
	return &net.DNSError{Err: fmt.Sprintf("read udp 10.0.0.1:%d->10.0.0.2:53: i/o timeout", port), Name: "x", IsTimeout: true}
}

// virtual is a source in virtual time over a fake resolver.
type virtual struct {
	*Source
	t       *testing.T
	version uint64

	mu   sync.Mutex // guards told
	told []string
}

func open(t *testing.T, cfg Config, f *fakeResolver) *virtual {
	t.Helper()
	v := &virtual{t: t}
	cfg.Resolver = f
	cfg.OnError = func(err error) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.told = append(v.told, err.Error())
	}
	var err error
	if v.Source, err = New(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// next waits for a newer view, for at most so many intervals of 30 s.
func (v *virtual) next(intervals int, want string) membership.View {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Duration(intervals)*34*time.Second)
	defer cancel()
	view, err := v.Next(ctx, v.version)
	if err != nil {
		v.t.Fatalf("no newer view: %v", err)
	}
	v.version = view.Version
	if got := shown(view.Members); got != want {
		v.t.Errorf("got %s, want %s", got, want)
	}
	return view
}

// quiet fails the test if a newer view comes within so many intervals, or if
// something else was told than this, in part.
func (v *virtual) quiet(intervals int, want ...string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time.Duration(intervals)*33*time.Second)
	defer cancel()
	if view, err := v.Next(ctx, v.version); err == nil {
		v.t.Fatalf("another view: %+v", view)
	}
	v.hasTold(want...)
}

func (v *virtual) hasTold(want ...string) {
	v.t.Helper()
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	ok := len(v.told) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = strings.Contains(v.told[i], want[i])
	}
	if !ok {
		v.t.Errorf("told %q, want %q", v.told, want)
	}
	v.told = nil
}

// shown is "ID@address*weight …", without what is as usual.
func shown(members []membership.Member) string {
	var words []string
	for _, m := range members {
		word := m.ID
		if m.Address != m.ID {
			word += "@" + m.Address
		}
		if m.Weight != 1 {
			word += fmt.Sprint("*", m.Weight)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
