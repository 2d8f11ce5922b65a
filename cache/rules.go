package cache

import (
	"context"
	"errors"
	"sync/atomic"
)

// Rule says what an event invalidates. E is the type of the events that a program
// gets, from a queue, a log or a database.
type Rule[E any] struct {
	Event string       // its name, for people and for the Contract: "user.renamed"
	When  func(E) bool // which events it is about; nil: all
	Do    []Action[E]
}

// Action is one thing that a rule does: KeysOf, TagsOf, PatternOf, EpochOf.
type Action[E any] struct {
	by, space string           // for the Contract
	wrong     error            // what NewRules refuses
	target    any              // actions with the same one share a gathering
	begin     func() gathering // for one call of Handle
	add       func(gathering, E) error
}

// gathering collects what a batch of events invalidates at one place.
type gathering interface {
	flush(ctx context.Context) error
}

// Rules turns events into invalidations. It is safe for concurrent use.
type Rules[E any] struct {
	rules     []Rule[E]
	events    atomic.Uint64
	unmatched atomic.Uint64
	failed    atomic.Uint64
}

// NewRules returns the rules, and makes them part of the Contract of the manager. An
// error matches ErrConfig.
func NewRules[E any](m *Manager, rules ...Rule[E]) (*Rules[E], error) {
	if m == nil || m.ctx == nil {
		return nil, configError("manager", "nil, or its zero value", "one of NewManager")
	}
	var contract []ContractEvent
	for _, r := range rules {
		if r.Event == "" || len(r.Do) == 0 {
			return nil, configError("Rule", "no Event or nothing to Do", "both")
		}
		for _, a := range r.Do {
			if a.wrong != nil {
				return nil, a.wrong
			}
			if a.begin == nil {
				return nil, configError("Rule.Do", "a zero Action", "KeysOf, TagsOf, PatternOf or EpochOf")
			}
			contract = append(contract, ContractEvent{Event: r.Event, By: a.by, Space: a.space})
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	m.events = append(m.events, contract...)
	return &Rules[E]{rules: append([]Rule[E](nil), rules...)}, nil
}

// Handle invalidates what the events say. Of a batch, what several of them say is
// invalidated once, and all keys of a space go together, as with InvalidateMany. An
// error means that not all of it was done: give it the batch again, which does no harm.
// An event that no rule is about is counted, and no error. If a function of a rule panics
// the error is a *PanicError, of the first that does; what the other events and rules say
// is invalidated all the same.
func (r *Rules[E]) Handle(ctx context.Context, events ...E) error {
	gathered := make(map[any]gathering)
	var order []gathering
	var panicked error // the first: a function that panics may do so for each event
	for _, e := range events {
		matched := false
		for _, rule := range r.rules {
			about, err := rule.about(e)
			panicked = firstError(panicked, err)
			matched = matched || about || err != nil
			if !about {
				continue
			}
			for _, a := range rule.Do {
				g := gathered[a.target]
				if g == nil {
					g = a.begin()
					gathered[a.target], order = g, append(order, g)
				}
				panicked = firstError(panicked, a.add(g, e))
			}
		}
		if !matched {
			r.unmatched.Add(1)
		}
	}
	r.events.Add(uint64(len(events)))
	errs := make([]error, len(order), len(order)+1)
	atOnce(len(order), func(i int) { errs[i] = order[i].flush(ctx) })
	err := errors.Join(append(errs, panicked)...)
	if err != nil {
		r.failed.Add(1)
	}
	return err
}

// about says whether the rule is about the event.
func (r Rule[E]) about(e E) (is bool, err error) {
	defer caught("Rule.When", &err)
	return r.When == nil || r.When(e), nil
}

// RulesStats counts what Rules have done.
type RulesStats struct {
	Events    uint64 // that were handled
	Unmatched uint64 // of them, no rule was about
	Failed    uint64 // calls of Handle that returned an error
}

// Stats returns the counts. What was invalidated is in Stats of the spaces.
func (r *Rules[E]) Stats() RulesStats {
	return RulesStats{Events: r.events.Load(), Unmatched: r.unmatched.Load(), Failed: r.failed.Load()}
}
