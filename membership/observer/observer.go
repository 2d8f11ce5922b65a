package observer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/latest"
)

const (
	// An agent that answers at once and has nothing new is not asked again
	// sooner than that: it does not wait as it should.
	idlePause = time.Second

	// Nor is one that has news all the time.
	newsPause = 100 * time.Millisecond
)

// Observer is a membership.Source that follows agents. Make one with New.
type Observer struct {
	cfg     Config
	agents  []agent
	views   latest.Box[membership.View]
	stop    context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex // guards what follows; taken before the lock of views
	fleet     fleet
	questions uint64          // asked so far
	newest    []uint64        // of each agent: the question whose outcome was taken last
	faults    []error         // of each agent: why the last question failed
	published membership.View // last
	complaint string          // about agents that disagree, made last
}

var _ membership.Source = (*Observer)(nil)

// New follows the agents, and returns once the first view is known. Until then
// it tries again and again, for as long as ctx lasts; its error then says why
// each agent failed. A configuration that cannot work is refused at once.
//
// What runs in the background ends in Close.
func New(ctx context.Context, cfg Config) (*Observer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	agents, err := cfg.agents()
	if err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(context.Background())
	o := &Observer{cfg: cfg, agents: agents, stop: stop, fleet: newFleet(agents),
		newest: make([]uint64, len(agents)), faults: make([]error, len(agents))}
	for i := range agents {
		o.running.Go(func() { o.follow(following, i) })
	}
	if _, err := o.views.Next(ctx, 0); err != nil {
		o.Close()
		return nil, fmt.Errorf("observer: no agent has answered: %w%s", err, o.excuses())
	}
	return o, nil
}

// Next implements membership.Source.
func (o *Observer) Next(ctx context.Context, after uint64) (membership.View, error) {
	return o.views.Next(ctx, after)
}

// Close implements membership.Source. It waits until no question is under way.
func (o *Observer) Close() error {
	o.views.Close(membership.ErrClosed)
	o.stop()
	o.running.Wait()
	if o.cfg.Transport == nil {
		for _, a := range o.agents {
			a.client.CloseIdleConnections()
		}
	}
	return nil
}

// follow asks one agent, again and again, until ctx ends.
func (o *Observer) follow(ctx context.Context, i int) {
	failures, told := 0, ""
	for ctx.Err() == nil {
		start := time.Now()
		news, err := o.consult(ctx, i, true)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			if reason := cause(err); reason != told {
				told = reason
				o.cfg.OnError(o.named(i, err))
			}
			pause.For(ctx, o.retryAfter(failures))
			failures++
			continue
		case o.quarrels(i):
			o.mediate(ctx, i)
		case news:
			pause.For(ctx, newsPause)
		default:
			pause.For(ctx, idlePause-time.Since(start))
		}
		failures, told = 0, ""
	}
}

// mediate gives two agents of different rings the time to hear of each other,
// asks both again, and reports if they still differ.
func (o *Observer) mediate(ctx context.Context, i int) {
	pause.For(ctx, o.cfg.Convergence)
	o.mu.Lock()
	leader := o.fleet.leader
	o.mu.Unlock()
	for _, side := range []int{leader, i} {
		// If it fails, its own follower finds out why.
		if o.consult(ctx, side, false); ctx.Err() != nil {
			return
		}
	}
	o.mu.Lock()
	o.fleet.confirm(i)
	report := o.publish()
	o.mu.Unlock()
	o.report(report)
}

func (o *Observer) quarrels(i int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fleet.quarrels(i)
}

// consult asks an agent and takes what it says. With wait the agent may let the
// answer wait for news, unless its last answer is none to go by.
func (o *Observer) consult(ctx context.Context, i int, wait bool) (news bool, err error) {
	o.mu.Lock()
	o.questions++
	number := o.questions
	var k known
	if s := o.fleet.agents[i]; wait && s.answers {
		k = known{wait: true, epoch: s.said.view.Epoch, etag: s.said.etag}
	}
	o.mu.Unlock()
	got, err := o.ask(ctx, o.agents[i], k)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	news, reports, err := o.take(i, number, got, err)
	for _, r := range reports {
		o.report(r)
	}
	return news, err
}

// take takes the outcome of a question. If a later one has had its own already,
// this one is old: two questions to an agent may cross.
func (o *Observer) take(i int, number uint64, got answer, failure error) (news bool, reports []error, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if number < o.newest[i] {
		return false, nil, nil
	}
	o.newest[i], o.faults[i] = number, failure
	if failure != nil {
		o.fleet.failed(i)
	} else {
		var back error
		if news, back = o.fleet.answered(i, got); back != nil {
			reports = append(reports, o.named(i, back))
		}
	}
	reports = append(reports, o.fleet.reconsider(time.Now(), o.cfg.RebuiltAfter), o.publish())
	return news, reports, failure
}

// publish hands out the view in force if it is another one, and returns what is
// new to report about agents that disagree. It is called with the lock held.
func (o *Observer) publish() error {
	view := o.fleet.view()
	if o.fleet.leader >= 0 && (o.published.Version == 0 || !sameView(o.published, view)) {
		// After Close nobody wants it.
		_ = o.views.Set(func(_ membership.View, version uint64) membership.View {
			view.Version = version
			return view
		})
		o.published = view
	}
	err := o.fleet.complaint()
	text := strings.Join(o.fleet.disagree(), " ")
	if text == o.complaint {
		return nil
	}
	o.complaint = text
	return err
}

func (o *Observer) report(err error) {
	if err != nil {
		o.cfg.OnError(err)
	}
}

func (o *Observer) named(i int, err error) error {
	return fmt.Errorf("observer: agent %s: %w", o.agents[i].name, err)
}

// excuses lists why the agents do not answer.
func (o *Observer) excuses() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all strings.Builder
	for i, err := range o.faults {
		if err != nil {
			fmt.Fprintf(&all, "; %s: %v", o.agents[i].name, err)
		}
	}
	return all.String()
}

// retryAfter is random, so that the observers of an agent that comes back do not
// all ask in the same moment.
func (o *Observer) retryAfter(failures int) time.Duration {
	d := o.cfg.RetryMin
	for ; failures > 0 && d < o.cfg.RetryMax; failures-- {
		d = min(2*d, o.cfg.RetryMax)
	}
	return d/2 + rand.N(d/2+1)
}

// cause is the innermost error's text: what is around it may name a port that is
// another one each time.
func cause(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
