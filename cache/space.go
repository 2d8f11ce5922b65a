package cache

import (
	"context"
	"crypto/sha256"
	"reflect"
	"strconv"
	"sync/atomic"
)

// Space is a typed part of the cache: its keys are of type K, its values of type V.
// Values that it returns are the caller's own: to change one changes no other. A
// Space is safe for concurrent use, and ends with its Manager.
type Space[K Key, V any] struct {
	m       *Manager
	cfg     SpaceConfig[K, V]
	name    string // "user/3", for people
	prefix  string // of keys: "user/3/"
	counts  string // of counters: "user/3/+"
	epochs  *epochs
	epochID identity // of the key of the epoch

	filter    *filterBits // nil: none
	filterKey string

	hot     *hotKeys[K] // nil: none is looked for
	l1      *level1[K, V]
	flights flights[answer[V]]
	loading atomic.Int64 // loaders that have not returned
	lookups *shares[looked[V]]
	checks  *shares[current]
	indexes atomic.Pointer[[]func(context.Context, V) error] // what follows writes

	counters counters
	copies
	behind *behind[K, V] // nil: writes wait for the source
	later  later         // invalidations
	resilience[K, V]
	promptness
}

// NewSpace returns a space of the manager, or an error that matches ErrConfig.
func NewSpace[K Key, V any](m *Manager, cfg SpaceConfig[K, V]) (*Space[K, V], error) {
	if m == nil || m.ctx == nil {
		return nil, configError("manager", "nil, or its zero value", "one of NewManager")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	name := cfg.Name + "/" + strconv.FormatUint(uint64(cfg.Schema), 10)
	s := &Space[K, V]{m: m, cfg: cfg, name: name, prefix: name + "/", counts: name + "/" + string(counterMark),
		copies: copiesOf(reflect.TypeFor[V]()), lookups: newShares[looked[V]](), checks: newShares[current]()}
	s.cfg.Load, s.cfg.LoadMany = s.counted(cfg.Load), s.countedMany(cfg.LoadMany)
	if cfg.Epochs {
		if m.leaser == nil {
			return nil, configError("Epochs", true, "a store that is a Leaser")
		}
		s.epochs = &epochs{key: s.prefix + string(epochMark)}
		sum := sha256.Sum256([]byte(s.epochs.key))
		s.epochID = identity(sum[:len(s.epochID)])
	}
	if cfg.Filter.Keys != nil {
		if m.leaser == nil {
			return nil, configError("Filter", "Keys", "a store that is a Leaser")
		}
		s.filter, s.filterKey = &filterBits{}, s.prefix+string(logMark)
	}
	if err := checkAxes[K](cfg.Axes); err != nil {
		return nil, err
	}
	if cfg.Tags.any() && m.tagger == nil {
		return nil, configError("Tags", "set", "a store that is a Tagger")
	}
	if _, none := m.cfg.Store.(noStore); none && !m.cfg.NoStore && cfg.levelOne().MaxBytes == 0 {
		return nil, configError("L1.MaxBytes", 0, "a level 1, for the manager has no Store; or ManagerConfig.NoStore, if nothing is to be kept")
	}
	if cfg.L1.NeedsBus && m.cfg.Bus == nil {
		return nil, configError("L1.NeedsBus", true, "a manager with a Bus")
	}
	if cfg.Hot.Copies > 1 && m.leaser == nil {
		return nil, configError("Hot.Copies", cfg.Hot.Copies, "a store that is a Leaser")
	}
	s.hot = newHotKeys[K](cfg.Hot)
	if l1 := cfg.levelOne(); l1.MaxBytes > 0 {
		if s.l1, err = newLevel1[K, V](l1); err != nil {
			return nil, err
		}
	}
	if err := s.resilient(); err != nil {
		s.end()
		return nil, err
	}
	if err := s.openQueues(); err != nil {
		s.end()
		return nil, err
	}
	s.prompt = s.canBePrompt()
	if err := m.register(name, s); err != nil {
		s.end()
		return nil, err
	}
	if err := s.runQueues(); err != nil {
		return nil, err
	}
	if cfg.Controls {
		if err := m.run(s.keepControl); err != nil {
			return nil, err
		}
	}
	if s.filter != nil {
		return s, m.run(s.keepFilter)
	}
	return s, nil
}

// end is called when the manager is closed.
func (s *Space[K, V]) end() {
	s.ended.Store(true)
	if s.l1 != nil {
		s.l1.close()
	}
	s.spares.close()
	s.closeQueues()
}
