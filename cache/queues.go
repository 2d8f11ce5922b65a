package cache

import (
	"errors"
	"sync"
)

// openQueues opens what the space keeps in journals.
func (s *Space[K, V]) openQueues() error {
	s.later.begin(s.m, s.name, s.cfg.Invalidation, s.cfg.Loads.Timeout, s.doLater)
	if s.cfg.WriteBehind.Apply == nil {
		return nil
	}
	return s.openBehind()
}

// runQueues begins to work on it.
func (s *Space[K, V]) runQueues() error {
	if s.cfg.Invalidation.Journal != nil {
		if _, err := s.later.openLater(); err != nil {
			return err
		}
	}
	if s.behind == nil {
		return nil
	}
	return errors.Join(s.m.run(s.keepApplying), s.m.run(s.keepLooking))
}

func (s *Space[K, V]) closeQueues() {
	if err := errors.Join(s.endBehind(), s.later.endLater()); err != nil {
		s.m.tell(s.name, err)
	}
}

// drainAll drains the spaces at the same time.
func drainAll(spaces map[string]space) error {
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, s := range spaces {
		all.Go(func() {
			err := s.drain()
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
