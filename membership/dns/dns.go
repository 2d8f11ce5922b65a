package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/latest"
)

// Source is a membership.Source that follows the domain name system. Make one
// with New.
type Source struct {
	cfg   Config
	views latest.Box[membership.View]
	stop  context.CancelFunc
	done  chan struct{} // closed when follow has ended

	// What follows belongs to New, and then to follow.
	members []membership.Member // of the last view; nil before the first
	damping damping
	told    string // what was reported last, until it is over
}

var _ membership.Source = (*Source)(nil)

// New looks up the fleet, and follows its changes until Close. It returns once
// the first view is known; until then it tries again and again, for as long as
// ctx lasts, and its error says why. A configuration that contradicts itself,
// and an answer that will never do, are refused at once.
func New(ctx context.Context, cfg Config) (*Source, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, done: make(chan struct{})}
	retry := min(time.Second, cfg.Interval)
	for s.members == nil {
		wrong := s.look(ctx)
		if errors.Is(wrong, ErrSeveralAddresses) {
			return nil, wrong
		}
		s.report(wrong)
		if s.members != nil {
			break
		}
		if pause.For(ctx, jittered(retry)); ctx.Err() != nil {
			return nil, fmt.Errorf("dns: no view of the fleet: %w; %w", context.Cause(ctx), wrong)
		}
		retry = min(2*retry, cfg.Interval)
	}
	following, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.follow(following)
	return s, nil
}

// Next implements membership.Source.
func (s *Source) Next(ctx context.Context, after uint64) (membership.View, error) {
	return s.views.Next(ctx, after)
}

// Close implements membership.Source. It waits for a look-up under way, which
// the resolver should end at once.
func (s *Source) Close() error {
	s.views.Close(membership.ErrClosed)
	s.stop()
	<-s.done
	return nil
}

func (s *Source) follow(ctx context.Context) {
	defer close(s.done)
	for {
		if pause.For(ctx, jittered(s.cfg.Interval)); ctx.Err() != nil {
			return
		}
		if wrong := s.look(ctx); ctx.Err() == nil {
			s.report(wrong)
		}
	}
}

// look asks once, takes the answer over if it is believed, and returns what is
// wrong.
func (s *Source) look(ctx context.Context) error {
	members, concern, err := s.cfg.lookup(ctx)
	if err != nil {
		s.damping.forget()
		return fmt.Errorf("dns: %s: %w", s.cfg.what(), err)
	}
	if believed, missing, count := s.damping.believe(s.members, members); !believed {
		return fmt.Errorf("dns: %s: %w", s.cfg.what(), &shrunken{missing, len(s.members), count})
	}
	if s.members == nil || !slices.Equal(members, s.members) {
		s.members = members
		// After Close nobody wants it.
		_ = s.views.Set(func(old membership.View, version uint64) membership.View {
			return membership.View{Version: version, Epoch: old.Epoch + 1, Members: members}
		})
	}
	if concern != nil {
		return fmt.Errorf("dns: %w", concern)
	}
	return nil
}

// report tells of something once, until another thing or nothing is wrong.
func (s *Source) report(err error) {
	reason := reasonOf(err)
	if reason != s.told && err != nil {
		s.cfg.OnError(err)
	}
	s.told = reason
}

// what names what is looked up.
func (c Config) what() string {
	switch {
	case len(c.Hosts) > 0:
		return "hosts"
	case c.Port != 0:
		return "addresses of " + c.Name
	case c.Service != "":
		return fmt.Sprintf("SRV records of _%s._%s.%s", c.Service, c.Proto, c.Name)
	}
	return "SRV records of " + c.Name
}

// jittered is up to a tenth shorter or longer.
func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }
