package observer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says whom to follow, and how. Only Agents is required.
type Config struct {
	// Agents are the base URLs of the agents, such as "http://10.0.0.1:8946",
	// "https://cache-a.internal:8946" or "unix:///run/ringway/agent.sock". One is
	// enough to follow the fleet, two to survive the loss of one.
	Agents []string

	// Cluster is the name of the fleet to follow: agents that do not say that they
	// are of it are not believed. Empty: any will do.
	Cluster string

	// Token is sent with every question, as a bearer token. Empty: none is. It is
	// not encrypted without https.
	Token string

	// TLS is for https; nil means Go's defaults.
	TLS *tls.Config

	// Transport sends the questions instead of one of the observer's own, which
	// uses no proxy. It excludes TLS and unix URLs. It is not closed.
	Transport http.RoundTripper

	// AnswerTimeout is how long an agent may take to answer, the 30 s not counted
	// for which it may wait for news; 0 means 10 s.
	AnswerTimeout time.Duration

	// After a failure an agent is left alone for RetryMin, and twice as long each
	// time until it is RetryMax, less a random part of up to a half. 0 means
	// 500 ms, and 10 s.
	RetryMin, RetryMax time.Duration

	// Convergence is how long agents of one epoch may differ before that is
	// reported; 0 means 10 s.
	Convergence time.Duration

	// RebuiltAfter is how long no agent of the fleet that is followed may answer
	// before one that was begun anew is followed, with its lower epochs; 0 means 1
	// min. See the package's comment.
	RebuiltAfter time.Duration

	// OnError is told what Next cannot return: agents that fail, answer nonsense,
	// have gone back, or disagree. It is called from several goroutines, and must
	// not close the observer. nil: nobody is told.
	OnError func(error)
}

// String prints the configuration for people, the token left out.
func (c Config) String() string {
	token := "none"
	if c.Token != "" {
		token = "hidden"
	}
	return fmt.Sprintf("{Agents:%q Cluster:%q Token:%s TLS:%t Transport:%t AnswerTimeout:%v RetryMin:%v RetryMax:%v Convergence:%v RebuiltAfter:%v}",
		c.Agents, c.Cluster, token, c.TLS != nil, c.Transport != nil, c.AnswerTimeout, c.RetryMin, c.RetryMax, c.Convergence, c.RebuiltAfter)
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

func (c Config) withDefaults() (Config, error) {
	wrong := func(field string, got any, want string) error {
		return fmt.Errorf("observer: config %s: got %v, want %s", field, got, want)
	}
	durations := []struct {
		name   string
		value  *time.Duration
		normal time.Duration
	}{
		{"AnswerTimeout", &c.AnswerTimeout, 10 * time.Second},
		{"RetryMin", &c.RetryMin, 500 * time.Millisecond},
		{"RetryMax", &c.RetryMax, 10 * time.Second},
		{"Convergence", &c.Convergence, 10 * time.Second},
		{"RebuiltAfter", &c.RebuiltAfter, time.Minute},
	}
	for _, d := range durations {
		if *d.value < 0 {
			return c, wrong(d.name, *d.value, "0 or more")
		}
		if *d.value == 0 {
			*d.value = d.normal
		}
	}
	switch {
	case len(c.Agents) == 0:
		return c, wrong("Agents", "none", "two base URLs or more")
	case c.RetryMax < c.RetryMin:
		return c, wrong("RetryMax", c.RetryMax, fmt.Sprintf("at least RetryMin, %v", c.RetryMin))
	case c.TLS != nil && c.Transport != nil:
		return c, wrong("TLS", "one beside a Transport", "nil: the Transport has its own")
	case strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return c, wrong("Token", "a character that no header can carry", "printable ASCII without spaces")
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return c, nil
}

// agent is where one agent answers.
type agent struct {
	name   string // its base URL, as given
	url    string // of the ring
	client *http.Client
}

// agents parses the URLs and makes a client for each.
func (c Config) agents() ([]agent, error) {
	var all []agent
	for _, base := range c.Agents {
		a, socket, err := parse(base)
		if err == nil && socket != "" && c.Transport != nil {
			err = errors.New("a unix URL beside a Transport")
		}
		if err == nil && slices.ContainsFunc(all, func(other agent) bool { return other.name == a.name }) {
			err = errors.New("the same twice")
		}
		if err != nil {
			if strings.Contains(base, "@") {
				base = "a URL with a user" // and perhaps a password
			}
			return nil, fmt.Errorf("observer: config Agents: got %q: %w", base, err)
		}
		a.client = &http.Client{
			Transport: c.Transport,
			// What the agent's own address does not say is not known to be the
			// agent's word; and the token must not go elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		if c.Transport == nil {
			a.client.Transport = c.transport(socket)
		}
		all = append(all, a)
	}
	return all, nil
}

// parse reads a base URL. socket is the path of one that begins with unix://.
func parse(base string) (a agent, socket string, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return a, "", errors.New("want a URL such as http://10.0.0.1:8946")
	}
	switch {
	case u.User != nil:
		return a, "", errors.New("want no user in it: credentials go into Token")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return a, "", errors.New("want no query and no fragment in it")
	case u.Scheme == "unix" && u.Host == "" && len(u.Path) > 1:
		return agent{name: base, url: "http://localhost" + ringPath}, u.Path, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		a.name = strings.TrimRight(base, "/")
		a.url = u.JoinPath(ringPath).String()
		return a, "", nil
	}
	return a, "", errors.New("want http://HOST:PORT, https://HOST:PORT or unix:///PATH")
}

// transport is made for few connections: one long poll, and now and then a
// second question beside it.
func (c Config) transport(socket string) *http.Transport {
	dialer := &net.Dialer{Timeout: c.AnswerTimeout}
	t := &http.Transport{
		TLSClientConfig:        c.TLS.Clone(),
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    c.AnswerTimeout,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // nothing small may become large
	}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}
