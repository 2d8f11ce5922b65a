package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Manager has what the spaces of a program share: the store, and the loads that
// run in the background. It is safe for concurrent use. Close it when done.
type Manager struct {
	cfg     ManagerConfig
	leaser  Leaser  // nil: the store is none
	batch   Batcher // nil: likewise
	count   Counter // nil: likewise
	tagger  Tagger  // nil: likewise
	tags    tagTurns
	later   later   // invalidations of tags
	scanner Scanner // nil: likewise
	retries *retryBudget

	ctx   context.Context // ends with Close
	close context.CancelFunc
	slots chan struct{} // of loads ahead of need

	mu       sync.Mutex // guards closed and what follows, and every Add of work
	closed   bool
	spaces   map[string]space    // by name: "user/3"
	deaf     bool                // the Bus hears nothing
	events   []ContractEvent     // of Rules
	limiters map[string]*limiter // by LimitConfig.Group
	work     sync.WaitGroup      // goroutines
}

// space is a Space of any types.
type space interface {
	changed(c Change)
	doubt(deaf bool)
	report() SpaceStats
	drain() error
	decodes(id identity, payload []byte) error
	purge()
	tellAll()
	contract() ContractSpace
	closeLater()
	forgotten() error
	patience() time.Duration
	loads() bool
	end()
}

// NewManager returns a Manager, or an error that matches ErrConfig.
func NewManager(cfg ManagerConfig) (*Manager, error) {
	switch {
	case cfg.Store == nil:
		cfg.Store = noStore{}
	case cfg.NoStore:
		return nil, configError("NoStore", true, "no Store")
	}
	if err := firstError(checkStore("Store", cfg.Store), checkBus("Bus", cfg.Bus),
		checkSet("Observer", cfg.Observer), checkSet("Tracer", cfg.Tracer)); err != nil {
		return nil, err
	}
	if cfg.Background < 0 {
		return nil, configError("Background", cfg.Background, "0 or more")
	}
	if n := len(cfg.Secret); n != 0 && (n < 16 || n > 64) {
		return nil, configError("Secret", fmt.Sprint(n, " bytes"), "16 to 64")
	}
	cfg.Secret = bytes.Clone(cfg.Secret)
	setDefault(&cfg.Background, 64)
	if setDefault(&cfg.TagSpace, "tags"); !nameForm.MatchString(cfg.TagSpace) {
		return nil, configError("TagSpace", fmt.Sprintf("%.80q", cfg.TagSpace), "1 to 64 letters, digits, ':', '.', '_' or '-'")
	}
	if cfg.random == nil {
		cfg.random = rand.Float64
	}
	m := &Manager{cfg: cfg, spaces: make(map[string]space), slots: make(chan struct{}, cfg.Background)}
	retry, err := cfg.Retry.withDefaults()
	if err != nil {
		return nil, err
	}
	m.retries = newRetryBudget(retry, cfg.Store)
	m.leaser, _ = cfg.Store.(Leaser)
	m.batch, _ = cfg.Store.(Batcher)
	m.count, _ = cfg.Store.(Counter)
	m.tagger, _ = cfg.Store.(Tagger)
	m.scanner, _ = cfg.Store.(Scanner)
	if s, partly := cfg.Store.(abilities); partly {
		if !s.tags() {
			m.tagger = nil
		}
		if !s.scans() {
			m.scanner = nil
		}
	}
	m.tags.name = tagMark + cfg.TagSpace
	m.tags.prefix = m.tags.name + "/"
	if cfg.Invalidation, err = cfg.Invalidation.withDefaults(); err != nil {
		return nil, err
	}
	if cfg.Invalidation.SecondDelete != 0 {
		return nil, configError("Invalidation.SecondDelete", cfg.Invalidation.SecondDelete, "0: tags have none")
	}
	m.ctx, m.close = context.WithCancel(context.Background())
	m.deaf = true
	m.later.begin(m, m.tags.name, cfg.Invalidation, tagTimeout, m.doLater)
	if m.tagger != nil && cfg.Invalidation.Journal != nil {
		if _, err := m.later.openLater(); err != nil {
			m.close()
			return nil, err
		}
	}
	if cfg.Bus != nil {
		_ = m.run(func() {
			if err := cfg.Bus.Run(m.ctx, listener{m}); err != nil && m.ctx.Err() == nil {
				m.tell("", err)
			}
		})
	}
	return m, nil
}

// Close ends the loads that are under way, and waits for their loaders to return: for the
// longest LoadsConfig.Timeout of a space (or WriteBehindConfig.Timeout, where there is
// one; 3 s at least) and a second. An error that matches ErrLoadTimeout names the spaces
// whose loaders ignore that their context has ended; their goroutines are theirs to end.
// Callers that wait get ErrClosed, and so do all later calls. The store stays open.
//
// Invalidations that are due later, second deletes too, and that no Journal keeps, are
// tried once more, for twice LoadsConfig.Timeout at most (3 s for tags).
// ErrNotInvalidated says of which spaces, and how many, are left.
//
// Spaces that write behind have their sources take what they have, for as long as
// WriteBehindConfig.Drain: ErrNotApplied says that some is left over, in the journal. It
// is about writes of this process, and those that it has found in the journal: of those that
// others have made since, in a journal that is shared, BehindStats.Left tells.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	spaces := m.spaces
	m.spaces = nil
	m.mu.Unlock()
	err := drainAll(spaces)
	m.lastInvalidations(spaces)
	m.close()
	return errors.Join(err, m.awaitWork(spaces), m.endAll(spaces))
}

// run starts a goroutine that Close waits for, or returns ErrClosed.
func (m *Manager) run(f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.work.Go(f)
	return nil
}

// register makes a name a space's.
func (m *Manager) register(name string, s space) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.spaces[name] != nil:
		return configError("Name", name, "one that no other space of the manager has")
	}
	m.spaces[name] = s
	if !m.deaf {
		s.doubt(false) // it begins deaf
	}
	return nil
}

func (m *Manager) tell(space string, err error) {
	if m.cfg.OnError != nil {
		m.cfg.OnError(space, keyless(err)) // also of a store that is none of this package
	}
}
