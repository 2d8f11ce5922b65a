package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// TestTargets holds what SRV records become.
func TestTargets(t *testing.T) {
	record := func(target string, port, priority, weight uint16) *net.SRV {
		return &net.SRV{Target: target, Port: port, Priority: priority, Weight: weight}
	}
	for name, c := range map[string]struct {
		records []*net.SRV
		cfg     Config
		want    string
	}{
		"names in one form": {[]*net.SRV{record("B.svc.", 1, 0, 0), record("a.SVC.", 1, 0, 0)}, Config{}, "a.svc:1 b.svc:1"},
		"two ports":         {[]*net.SRV{record("a.", 2, 0, 0), record("a.", 1, 0, 0)}, Config{}, "a:1 a:2"},
		"weights":           {[]*net.SRV{record("a.", 1, 0, 0), record("b.", 1, 0, 1), record("c.", 1, 0, 7)}, Config{}, "a:1 b:1 c:1*7"},
		"the same weight":   {[]*net.SRV{record("a.", 1, 0, 33), record("b.", 1, 0, 33), record("c.", 1, 0, 33)}, Config{}, "a:1 b:1 c:1"},
		"one node":          {[]*net.SRV{record("a.", 1, 0, 100)}, Config{}, "a:1"},
		"ignored weights":   {[]*net.SRV{record("a.", 1, 0, 2), record("b.", 1, 0, 7)}, Config{IgnoreWeights: true}, "a:1 b:1"},
		"priorities":        {[]*net.SRV{record("a.", 1, 10, 2), record("b.", 1, 20, 7)}, Config{}, "a:1*2 b:1*7"},
		"a target twice":    {[]*net.SRV{record("a.", 1, 9, 9), record("A.", 1, 5, 3), record("a.", 1, 5, 7), record("b.", 1, 5, 1)}, Config{}, "a:1*7 b:1"},
		"no service":        {[]*net.SRV{record(".", 0, 0, 0), nil, record("a.", 1, 0, 0)}, Config{}, "a:1"},
		"kind and ID": {[]*net.SRV{record("cache-0.svc.", 1, 0, 0), record("cache-1.svc.", 1, 0, 0)},
			Config{IDOf: func(host string, port int) string { return fmt.Sprint(strings.Split(host, ".")[0], port) }}, "cache-01@cache-0.svc:1 cache-11@cache-1.svc:1"},
	} {
		f := &fakeResolver{records: slices.Clone(c.records)}
		c.cfg.Resolver, c.cfg.Name, c.cfg.Timeout, c.cfg.Kind = f, "x", time.Second, membership.Memcached
		got, concern, err := c.cfg.lookup(t.Context())
		if err != nil || concern != nil || shown(got) != c.want {
			t.Errorf("%s: got %s, %v, %v; want %s", name, shown(got), concern, err, c.want)
		}
		for _, m := range got {
			if m.Kind != membership.Memcached || m.State != membership.Active {
				t.Errorf("%s: %+v", name, m)
			}
		}
		if !slices.Equal(f.records, c.records) {
			t.Errorf("%s: the resolver's slice was changed", name)
		}
	}
}

func TestAnswersThatAreRefused(t *testing.T) {
	partial := errors.New("DNS response contained records which contain invalid names")
	same := func(string, int) string { return "one" }
	for name, c := range map[string]struct {
		cfg  Config
		f    *fakeResolver
		want string
	}{
		"an error beside records": {Config{Name: "x"}, &fakeResolver{records: srv("a"), err: partial}, "invalid names"},
		"no records":              {Config{Name: "x"}, &fakeResolver{}, "no records"},
		"no service":              {Config{Name: "x"}, &fakeResolver{records: []*net.SRV{{Target: "."}}}, "no records"},
		"port 0":                  {Config{Name: "x"}, &fakeResolver{records: []*net.SRV{{Target: "a."}}}, `address of member "a:0": got "a:0"`},
		"a name that is none":     {Config{Name: "x"}, &fakeResolver{records: []*net.SRV{{Target: "a b.", Port: 1}}}, `got "a b:1", want host:port`},
		"one ID for two":          {Config{Name: "x", IDOf: same}, &fakeResolver{records: srv("a", "b")}, "node ID given twice"},
		"an empty ID":             {Config{Name: "x", IDOf: func(string, int) string { return "" }}, &fakeResolver{records: srv("a")}, "node ID"},
		"an address that is none": {Config{Name: "x", Port: 1, AddressesAreIDs: true}, &fakeResolver{hosts: map[string][]string{"x": {"10.0.0"}}}, `address: got "10.0.0", want an IP address`},
		"no address":              {Config{Name: "x", Port: 1}, &fakeResolver{hosts: map[string][]string{"x": {}}}, "no records"},
		"several addresses": {Config{Name: "x", Port: 1}, &fakeResolver{hosts: map[string][]string{"x": {"10.0.0.2", "10.0.0.1"}}},
			"several addresses for one name: x has 2 (10.0.0.1, 10.0.0.2, …): once one of them is replaced, nobody can tell which node got which"},
	} {
		c.cfg.Resolver, c.cfg.Timeout = c.f, time.Second
		got, _, err := c.cfg.lookup(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || got != nil {
			t.Errorf("%s: got %v, %v; want an error with %s", name, got, err, c.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		found []string
		want  string
	}{
		"one address":          {Config{Name: "x.svc.", Port: 6379}, []string{"10.0.0.9"}, "x.svc:6379@x.svc.:6379"},
		"the same twice":       {Config{Name: "x.svc.", Port: 6379}, []string{"10.0.0.9", "::ffff:10.0.0.9"}, "x.svc:6379@x.svc.:6379"},
		"addresses as IDs":     {Config{Name: "x.svc.", Port: 6379, AddressesAreIDs: true}, []string{"fd00::1", "10.0.0.10", "10.0.0.9", "10.0.0.9"}, "10.0.0.10:6379 10.0.0.9:6379 [fd00::1]:6379"},
		"one address as an ID": {Config{Name: "x.svc.", Port: 6379, AddressesAreIDs: true}, []string{"10.0.0.9"}, "10.0.0.9:6379"},
	} {
		c.cfg.Resolver, c.cfg.Timeout = &fakeResolver{hosts: map[string][]string{"x.svc.": c.found}}, time.Second
		if got, concern, err := c.cfg.lookup(t.Context()); err != nil || concern != nil || shown(got) != c.want {
			t.Errorf("%s: got %s, %v, %v; want %s", name, shown(got), concern, err, c.want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	ids := func(string, int) string { return "" }
	ended, cancel := context.WithCancel(t.Context()) // nothing is waited for
	cancel()
	for want, cfg := range map[string]Config{
		"Name: got nothing, want a name, or Hosts":           {},
		"Hosts: got some beside a Name":                      {Name: "x", Hosts: []string{"a:1"}},
		"Hosts: got some beside Service":                     {Proto: "tcp", Hosts: []string{"a:1"}},
		"Hosts: got some beside Service, Proto or Port":      {Port: 1, Hosts: []string{"a:1"}},
		`Service and Proto: got "redis" and ""`:              {Name: "x", Service: "redis"},
		"Port: got 1 beside a Service":                       {Name: "x", Service: "redis", Proto: "tcp", Port: 1},
		"Port: got -1, want 1 to 65535":                      {Name: "x", Port: -1},
		"Port: got 65536":                                    {Name: "x", Port: 65536},
		"AddressesAreIDs: got true without a Port":           {Name: "x", AddressesAreIDs: true},
		"IDOf and IgnoreWeights: got one":                    {Name: "x", Port: 1, IDOf: ids},
		"IDOf and IgnoreWeights: got one without":            {Hosts: []string{"a:1"}, IgnoreWeights: true},
		`Kind: got router, want redis or`:                    {Name: "x", Kind: membership.Router},
		`Hosts, Name, Port or Kind: membership: kind of mem`: {Hosts: []string{"a:1"}, Kind: "etcd"},
		"Interval: got -1s":                                  {Name: "x", Interval: -time.Second},
		"Timeout: got -1s":                                   {Name: "x", Timeout: -time.Second},
		`Hosts: got "a", want host:port`:                     {Hosts: []string{"b:1", "a"}},
		`Hosts: got "unix:///x", want host:port`:             {Hosts: []string{"unix:///x"}},
		`address of member "a:0": got "a:0"`:                 {Hosts: []string{"a:0"}},
		"node ID given twice":                                {Hosts: []string{"a.svc:1", "A.svc.:1"}},
		`got "a b:1", want host:port`:                        {Name: "a b", Port: 1},
	} {
		if s, err := New(ended, cfg); err == nil || s != nil || !strings.HasPrefix(err.Error(), "dns: config ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
	}
}
