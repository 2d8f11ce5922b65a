package swim

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/internal/memnet"
)

// member is a memberlist that notes when it sees others come and go.
type member struct {
	name string
	addr netip.AddrPort
	list *memberlist.Memberlist

	mu       sync.Mutex // guards what follows
	present  map[string]bool
	changed  map[string]time.Time // when others last came or went
	excused  map[string]bool      // others that may be found dead now
	wrongful map[string]bool      // others that were found dead and could be reached
}

func newMember(network *memnet.Network, i int) (*member, error) {
	transport, err := network.Listen(address(i))
	if err != nil {
		return nil, err
	}
	m := &member{name: fmt.Sprintf("m%04d", i), addr: address(i), present: make(map[string]bool), changed: make(map[string]time.Time), excused: make(map[string]bool), wrongful: make(map[string]bool)}
	config := transport.Configure(m.name, settings())
	config.Events = m
	if m.list, err = memberlist.Create(config); err != nil {
		return nil, fmt.Errorf("swim: member %s: %w", m.name, err)
	}
	return m, nil
}

// join contacts another. Segments may be lost, so that it is tried more than once.
func (m *member) join(other *member) (err error) {
	for range 5 {
		if _, err = m.list.Join([]string{other.addr.String()}); err == nil {
			return nil
		}
	}
	return fmt.Errorf("swim: %s joins %s: %w", m.name, other.name, err)
}

// NotifyJoin, NotifyLeave and NotifyUpdate are called by the memberlist.
func (m *member) NotifyJoin(n *memberlist.Node) { m.note(n.Name, true) }

func (m *member) NotifyLeave(n *memberlist.Node) { m.note(n.Name, false) }

func (m *member) NotifyUpdate(*memberlist.Node) {}

func (m *member) note(name string, present bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present[name], m.changed[name] = present, time.Now()
	if !present && !m.excused[name] && name != m.name {
		m.wrongful[name] = true
	}
}

// sees tells since when the member has seen all of these.
func (m *member) sees(names []string) (since time.Time, all bool) { return m.all(names, true) }

// lost tells since when the member has seen none of these.
func (m *member) lost(names ...string) (since time.Time, all bool) { return m.all(names, false) }

func (m *member) all(names []string, present bool) (since time.Time, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		if m.present[name] != present {
			return time.Time{}, false
		}
		if at := m.changed[name]; at.After(since) {
			since = at
		}
	}
	return since, true
}

// expectLoss says that these may be found dead from now on, and expectNoLoss that
// nobody may.
func (m *member) expectLoss(names ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		m.excused[name] = true
	}
}

func (m *member) expectNoLoss() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.excused)
}

func (m *member) falseDeaths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.wrongful))
}
