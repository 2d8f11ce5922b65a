package agents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
)

// DefaultTimeout is how long one agent may take to answer.
const DefaultTimeout = 5 * time.Second

// Config says whom to ask.
type Config struct {
	URLs  []string // http://host:port, https://host:port or unix:///path; at least one
	Token string   // sent as a bearer token; empty: none

	// Timeout is how long each agent may take; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Client asks agents. It is not safe for concurrent use.
type Client struct {
	agents  []agent
	token   string
	timeout time.Duration
	first   int // the agent that answered last is asked first
}

type agent struct {
	name string // as it was given
	base string
	http *http.Client
}

// URLError is a URL that cannot be that of an agent.
type URLError struct{ URL, Want string }

func (e *URLError) Error() string { return fmt.Sprintf("agent %q: want %s", e.URL, e.Want) }

// NoAnswerError says why no agent has answered.
type NoAnswerError struct {
	Agents []string
	Errs   []error // one an agent
}

func (e *NoAnswerError) Error() string {
	lines := make([]string, len(e.Agents))
	for i, name := range e.Agents {
		lines[i] = fmt.Sprintf("agent %s: %v", name, e.Errs[i])
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors of the agents.
func (e *NoAnswerError) Unwrap() []error { return e.Errs }

// New returns a client. The error is a *URLError. Close it in the end.
func New(cfg Config) (*Client, error) {
	c := &Client{token: cfg.Token, timeout: cfg.Timeout}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if len(cfg.URLs) == 0 {
		return nil, &URLError{URL: "", Want: "the URL of at least one agent"}
	}
	for _, text := range cfg.URLs {
		a, err := parse(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(c.agents, func(other agent) bool { return other.name == a.name }) {
			return nil, &URLError{URL: text, Want: "each agent once"}
		}
		c.agents = append(c.agents, a)
	}
	return c, nil
}

const wantURL = "http://HOST:PORT, https://HOST:PORT or unix:///PATH"

func parse(text string) (agent, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return agent{}, &URLError{URL: text, Want: wantURL}
	case u.User != nil: // what is in it is not shown
		return agent{}, &URLError{URL: u.Redacted(), Want: wantURL + ", without a user: a token goes into a file"}
	case u.RawQuery != "" || u.Fragment != "":
		return agent{}, &URLError{URL: text, Want: wantURL + ", without a query"}
	case strings.HasPrefix(text, "unix:///") && len(u.Path) > 1:
		return agent{name: text, base: "http://localhost", http: newHTTP(u.Path)}, nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		return agent{name: text, base: strings.TrimRight(text, "/"), http: newHTTP("")}, nil
	}
	return agent{}, &URLError{URL: text, Want: wantURL}
}

// newHTTP makes a client that uses no proxy and follows no redirection: the
// token must not go to anybody else.
func newHTTP(socket string) *http.Client {
	dialer := new(net.Dialer)
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        time.Minute,
	}
	if socket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close closes idle connections.
func (c *Client) Close() {
	for _, a := range c.agents {
		a.http.CloseIdleConnections()
	}
}

// Ring returns the ring as the first agent that answers has it, and the agent's
// URL. The error is a *NoAnswerError, or that of the context.
func (c *Client) Ring(ctx context.Context) (r agentapi.Ring, from string, err error) {
	from, err = c.firstOf(ctx, func(ctx context.Context, a agent) (err error) {
		r, err = c.ring(ctx, a)
		return err
	})
	return r, from, err
}

// Members does the same for the members.
func (c *Client) Members(ctx context.Context) (m agentapi.Members, from string, err error) {
	from, err = c.firstOf(ctx, func(ctx context.Context, a agent) (err error) {
		m, err = c.members(ctx, a)
		return err
	})
	return m, from, err
}

// Both returns the ring and the members of one agent, of the same moment.
func (c *Client) Both(ctx context.Context) (r agentapi.Ring, m agentapi.Members, from string, err error) {
	from, err = c.firstOf(ctx, func(ctx context.Context, a agent) error {
		for range 5 { // the fleet may change between the two questions
			if r, err = c.ring(ctx, a); err != nil {
				return err
			}
			if m, err = c.members(ctx, a); err != nil {
				return err
			}
			if r.Epoch == m.Epoch && r.Fingerprint == m.Fingerprint {
				return nil
			}
		}
		return errors.New("the ring changes faster than it can be asked for")
	})
	return r, m, from, err
}

// firstOf asks the agents in turn until one answers.
func (c *Client) firstOf(ctx context.Context, ask func(ctx context.Context, a agent) error) (from string, err error) {
	failed := &NoAnswerError{}
	for i := range c.agents {
		at := (c.first + i) % len(c.agents)
		a := c.agents[at]
		err := c.within(ctx, a, ask)
		if err == nil {
			c.first = at
			return a.name, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		failed.Agents, failed.Errs = append(failed.Agents, a.name), append(failed.Errs, err)
	}
	return "", failed
}

// within bounds a question in time, and says so in words.
func (c *Client) within(ctx context.Context, a agent, ask func(ctx context.Context, a agent) error) error {
	late := fmt.Errorf("no answer within %v", c.timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, late)
	defer cancel()
	err := ask(ctx, a)
	if err != nil && context.Cause(ctx) == late {
		return late
	}
	return err
}

func (c *Client) ring(ctx context.Context, a agent) (r agentapi.Ring, err error) {
	err = c.get(ctx, a, agentapi.RingPath, func(body io.Reader) error {
		if r, err = agentapi.ReadRing(body); err == nil {
			_, err = r.View() // checks the rest of it
		}
		return err
	})
	return r, err
}

func (c *Client) members(ctx context.Context, a agent) (m agentapi.Members, err error) {
	err = c.get(ctx, a, agentapi.MembersPath, func(body io.Reader) error {
		m, err = agentapi.ReadMembers(body)
		return err
	})
	return m, err
}

func (c *Client) get(ctx context.Context, a agent, path string, read func(io.Reader) error) error {
	return c.exchange(ctx, a, http.MethodGet, path, nil, http.StatusOK, read)
}

// exchange sends a request, and reads the answer if it has the status that is
// wanted.
func (c *Client) exchange(ctx context.Context, a agent, method, path string, body io.Reader, want int, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		if asked := (*url.Error)(nil); errors.As(err, &asked) {
			err = asked.Err // the agent is named by whoever shows the error
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		return statusError(resp)
	}
	return read(resp.Body)
}

// statusError shows the start of the body, where an agent gives its reason.
func statusError(resp *http.Response) error {
	const shown = 200 // bytes
	text, _ := io.ReadAll(io.LimitReader(resp.Body, shown))
	reason, _, _ := strings.Cut(strings.TrimSpace(strings.ToValidUTF8(string(text), "")), "\n")
	return &StatusError{Code: resp.StatusCode, Reason: reason}
}

// StatusError is the answer of an agent that did not do what it was asked for.
type StatusError struct {
	Code   int
	Reason string // in its own words; may be empty
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("status %d %s", e.Code, http.StatusText(e.Code))
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}
