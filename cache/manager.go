package cache

import (
	"context"
	"math/rand/v2"
	"sync"
)

// Manager has what the spaces of a program share: the store, and the loads that
// run in the background. It is safe for concurrent use. Close it when done.
type Manager struct {
	cfg    ManagerConfig
	leaser Leaser  // nil: the store is none
	batch  Batcher // nil: likewise
	count  Counter // nil: likewise

	ctx   context.Context // ends with Close
	close context.CancelFunc
	slots chan struct{} // of loads ahead of need

	mu     sync.Mutex // guards closed and what follows, and every Add of work
	closed bool
	names  map[string]bool // of spaces: "user/3"
	onEnd  []func()        // of the spaces' first levels
	work   sync.WaitGroup  // goroutines
}

// NewManager returns a Manager, or an error that matches ErrConfig.
func NewManager(cfg ManagerConfig) (*Manager, error) {
	if cfg.Store == nil {
		return nil, configError("Store", "nil", "a store")
	}
	if cfg.Background < 0 {
		return nil, configError("Background", cfg.Background, "0 or more")
	}
	setDefault(&cfg.Background, 64)
	if cfg.random == nil {
		cfg.random = rand.Float64
	}
	m := &Manager{cfg: cfg, names: make(map[string]bool), slots: make(chan struct{}, cfg.Background)}
	m.leaser, _ = cfg.Store.(Leaser)
	m.batch, _ = cfg.Store.(Batcher)
	m.count, _ = cfg.Store.(Counter)
	m.ctx, m.close = context.WithCancel(context.Background())
	return m, nil
}

// Close ends the loads that are under way, and waits for their loaders to return.
// Callers that wait get ErrClosed, and so do all later calls. The store stays open.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	onEnd := m.onEnd
	m.onEnd = nil
	m.mu.Unlock()
	m.close()
	m.work.Wait()
	for _, end := range onEnd {
		end()
	}
	return nil
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
func (m *Manager) register(name string, onEnd func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.names[name]:
		return configError("Name", name, "one that no other space of the manager has")
	}
	m.names[name] = true
	if onEnd != nil {
		m.onEnd = append(m.onEnd, onEnd)
	}
	return nil
}

func (m *Manager) tell(space string, err error) {
	if m.cfg.OnError != nil {
		m.cfg.OnError(space, err)
	}
}
