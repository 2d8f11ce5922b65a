package observer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
)

const ringPath = agentapi.RingPath

// answer is what an agent said.
type answer struct {
	unchanged   bool // nothing but this: what it said before still holds
	view        membership.View
	fingerprint string
	etag        string
}

// known is what an agent is told of its last answer, to be asked for a newer
// one. The zero value asks for an answer at once.
type known struct {
	wait  bool
	epoch uint64
	etag  string
}

// ask puts one question. It ends when the agent has taken too long.
func (o *Observer) ask(ctx context.Context, a agent, k known) (answer, error) {
	limit := o.cfg.AnswerTimeout
	if k.wait {
		limit += agentapi.MaxWait
	}
	late := fmt.Errorf("no answer within %v: %w", limit, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	got, err := o.exchange(ctx, a, k)
	if err != nil && context.Cause(ctx) == late {
		return answer{}, late
	}
	return got, err
}

func (o *Observer) exchange(ctx context.Context, a agent, k known) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return answer{}, err
	}
	if o.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+o.cfg.Token)
	}
	if k.wait {
		req.URL.RawQuery = url.Values{agentapi.AfterParameter: {strconv.FormatUint(k.epoch, 10)}}.Encode()
		if k.etag != "" {
			req.Header.Set("If-None-Match", k.etag)
		}
	}
	resp, err := a.client.Do(req)
	if err != nil {
		var asked *url.Error // names the URL, as our caller does
		if errors.As(err, &asked) {
			err = asked.Err
		}
		return answer{}, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && k.etag != "":
		return answer{unchanged: true}, nil
	case resp.StatusCode != http.StatusOK:
		return answer{}, statusError(resp)
	}
	r, err := agentapi.ReadRing(resp.Body)
	if err != nil {
		return answer{}, err
	}
	view, err := r.View()
	if err != nil {
		return answer{}, err
	}
	if want := o.cfg.Cluster; want != "" && r.Cluster != want {
		return answer{}, fmt.Errorf("cluster: got %q, want %q: the agent speaks for another fleet", r.Cluster, want)
	}
	return answer{view: view, fingerprint: r.Fingerprint, etag: resp.Header.Get("ETag")}, nil
}

// statusError says what came instead of an answer, with the start of the body,
// where an agent gives its reason.
func statusError(resp *http.Response) error {
	const most = 200 // bytes
	text, _ := io.ReadAll(io.LimitReader(resp.Body, most))
	got := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
	if reason := strings.TrimSpace(strings.ToValidUTF8(string(text), "")); reason != "" {
		return fmt.Errorf("status: got %s, want 200 OK: %q", got, reason)
	}
	return fmt.Errorf("status: got %s, want 200 OK", got)
}
