package gossip

import (
	"net/netip"
	"sync"

	"github.com/ringway/ringway/membership/internal/ledger"
)

// inbox is where all others leave what they have for the loop. Leaving something
// never blocks, since most of it comes from callbacks under memberlist's lock;
// and it does not grow without bound in a flood, since of each member, record and
// eviction only the newest is kept.
type inbox struct {
	wake chan struct{} // holds one once something is in

	mu sync.Mutex // guards what follows
	in news
}

// news is what has come in, to be taken in the order of the fields.
type news struct {
	seen  map[string]sighting // of each member the newest
	told  *ledger.Ledger      // records and evictions; nil: none
	whole bool                // some of that was another member's whole ledger, and not empty
	calls []func()            // to be run by the loop, in their order
}

// sighting is what memberlist says of a member.
type sighting struct {
	alive bool
	addr  netip.AddrPort
	meta  []byte
}

func (b *inbox) leave(how func(*news)) {
	b.mu.Lock()
	how(&b.in)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take empties the inbox.
func (b *inbox) take() news {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.in
	b.in = news{}
	return n
}

// post has the loop run a function. It is forgotten if the member closes before.
func (b *inbox) post(call func()) {
	b.leave(func(n *news) { n.calls = append(n.calls, call) })
}

func (b *inbox) see(name string, s sighting) {
	b.leave(func(n *news) {
		if n.seen == nil {
			n.seen = make(map[string]sighting)
		}
		n.seen[name] = s
	})
}

// tell leaves what another member said: of its whole ledger, or of a part.
func (b *inbox) tell(m ledger.Message, whole bool) {
	b.leave(func(n *news) {
		if n.told == nil {
			n.told = ledger.New()
		}
		n.told.Merge(m)
		n.whole = n.whole || whole && len(m.Records) > 0
	})
}
