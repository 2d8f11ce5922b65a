package gossip

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

// unopened is a member without a network whose loop does not run: the test calls
// what the loop would.
func unopened(t *testing.T, cfg Config) (*Gossip, *logBook) {
	t.Helper()
	log, book := newLog(t, slog.LevelDebug)
	cfg.Logger, cfg.Seeds = log, []string{"10.0.0.1"}
	s, err := cfg.complete()
	if err != nil {
		t.Fatal(err)
	}
	g := &Gossip{cfg: s, log: log, transport: &transport{}}
	g.inbox.wake = make(chan struct{}, 1)
	g.failed.done = make(chan struct{})
	g.ctx = t.Context()
	g.queue.limit = func() int { return timesToSend(4, 10) }
	g.loop = newLoop(g)
	return g, book
}

func someRecord(id string) ledger.Record {
	return ledger.Record{ID: id, Kind: membership.Redis, Address: id + ":6379", Weight: 1, State: membership.Active, Generation: 1, Sequence: 1, Stamp: 1}
}

func metaOf(r ledger.Record) ledger.Meta {
	return ledger.Meta{Cluster: "ringway", Kind: r.Kind, Record: r}
}

func TestWhoIsLetIn(t *testing.T) {
	good := metaOf(someRecord("b")).Encode()
	foreign := ledger.Meta{Cluster: "other", Kind: membership.Router}.Encode()
	future := append([]byte(nil), good...)
	future[0] = ledger.Version + 1
	strange := append([]byte(nil), foreign...)
	strange[0] = ledger.Version + 1
	tests := []struct {
		name string
		meta []byte
		err  string
		why  reason
	}{
		{"a node", good, "", -1},
		{"a client", ledger.Meta{Cluster: "ringway", Kind: membership.Router}.Encode(), "", -1},
		{"another cluster", foreign, `of cluster "other"`, otherCluster},
		{"a later version", future, "", -1},
		{"a later version of another cluster", strange, `of cluster "other"`, otherCluster},
		{"no meta data", nil, "got none", malformed},
		{"half of it", good[:len(good)/2], "ends early", malformed},
		{"too much", make([]byte, 513), "got 513 bytes", malformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, _ := unopened(t, Config{})
			err := delegate{g}.NotifyAlive(&memberlist.Node{Name: "b", Meta: tt.meta})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			for r := range reasons {
				want := uint64(0)
				if r == tt.why {
					want = 1
				}
				if got := g.Stats().Ignored[r.String()]; got != want {
					t.Errorf("counted as %v: %d, want %d", r, got, want)
				}
			}
		})
	}
}

// TestLaterVersionIsIgnored: the member lives, what it says is not used, and the
// warning comes once.
func TestLaterVersionIsIgnored(t *testing.T) {
	g, book := unopened(t, Config{})
	meta := metaOf(someRecord("b")).Encode()
	meta[0] = ledger.Version + 1
	message := ledger.Message{Cluster: "ringway", Records: []ledger.Record{someRecord("b")}}.Encode()
	message[0] = ledger.Version + 1
	for range 3 {
		delegate{g}.NotifyUpdate(&memberlist.Node{Name: "b", Meta: meta})
		delegate{g}.NotifyMsg(message)
		delegate{g}.MergeRemoteState(message, true)
		g.loop.take(g.inbox.take())
		g.loop.take(g.inbox.take()) // the warnings
	}
	var later []string
	for _, m := range g.loop.membersNow() {
		if m.Later {
			later = append(later, m.ID)
		}
	}
	if len(later) != 1 || later[0] != "b" {
		t.Errorf("members of another version: %q, want b", later)
	}
	if !g.loop.alive("b") || len(g.loop.ledger.Records()) != 0 || g.loop.contact.understood {
		t.Errorf("alive %v, records %v, understood %v", g.loop.alive("b"), g.loop.ledger.Records(), g.loop.contact.understood)
	}
	if n := g.Stats().Ignored["version"]; n != 9 {
		t.Errorf("counted %d times, want 9", n)
	}
	if n := strings.Count(book.String(), "reason=version from=b "); n != 1 {
		t.Errorf("%d warnings of b, want 1:\n%s", n, book)
	}
}

// TestContactWantsALedger: a seed whose ledger is not understood is no contact.
func TestContactWantsALedger(t *testing.T) {
	for _, understood := range []bool{false, true} {
		g, _ := unopened(t, Config{})
		g.loop.contact.asking, g.loop.contact.others, g.loop.contact.understood = true, true, understood
		g.loop.asked(1, nil)
		if g.loop.contact.made != understood {
			t.Errorf("understood %v: contact %v", understood, g.loop.contact.made)
		}
	}
}

// TestNewsArePassedOn: once, and not what a newcomer learns that all others know.
func TestNewsArePassedOn(t *testing.T) {
	g, _ := unopened(t, Config{})
	e := ledger.Eviction{ID: "b", Generation: 1, Stamp: 2, By: "a"}
	g.loop.hear(ledger.Message{Records: []ledger.Record{someRecord("a")}})
	if n := g.queue.size(); n != 0 {
		t.Errorf("a newcomer passes on %d messages", n)
	}
	g.loop.contact.made = true
	for range 2 {
		g.loop.hear(ledger.Message{Records: []ledger.Record{someRecord("a"), someRecord("b")}, Evictions: []ledger.Eviction{e}})
	}
	if n, told := g.queue.size(), g.Stats().Told; n != 2 || told != 2 {
		t.Errorf("%d messages wait, %d were passed on, want b's record and its eviction", n, told)
	}
}

// TestFormerMembers: nodes are looked for as long as they may come back, clients
// for ten minutes.
func TestFormerMembers(t *testing.T) {
	g, _ := unopened(t, Config{})
	left := someRecord("left")
	left.State = membership.Left
	g.loop.hear(ledger.Message{Records: []ledger.Record{someRecord("node"), left}})
	now := time.Now()
	for _, name := range []string{"node", "left", "client", "unknown"} {
		g.loop.gone[name] = former{router: name == "client", at: now}
	}
	g.loop.forgetFormer(now.Add(9 * time.Minute))
	if len(g.loop.gone) != 4 {
		t.Errorf("after 9 minutes: %v", g.loop.gone)
	}
	g.loop.forgetFormer(now.Add(24 * time.Hour))
	if _, kept := g.loop.gone["node"]; len(g.loop.gone) != 1 || !kept {
		t.Errorf("after a day: %v", g.loop.gone)
	}
	g.loop.gone = map[string]former{"client": {router: true, at: now}}
	g.loop.cfg.seeds = nil // there is nobody to ask
	g.loop.seek(now.Add(time.Hour))
	if len(g.loop.gone) != 0 || g.loop.contact.asking {
		t.Error("a client that went an hour ago is looked for")
	}
}

// TestJoiningStaysOut: an agent that starts again must not knock its node out of
// the ring before it has heard what the fleet knows.
func TestJoiningStaysOut(t *testing.T) {
	g, _ := unopened(t, Config{})
	old := someRecord("b")
	delegate{g}.NotifyJoin(&memberlist.Node{Name: "b", Meta: metaOf(old).Encode()})
	g.loop.take(g.inbox.take())
	restarted := old
	restarted.Generation, restarted.State = 2, membership.Joining
	delegate{g}.NotifyUpdate(&memberlist.Node{Name: "b", Meta: metaOf(restarted).Encode()})
	delegate{g}.NotifyUpdate(&memberlist.Node{Name: "new", Meta: metaOf(ledger.Record{ID: "new", Kind: membership.Memcached, Address: "new:1", Weight: 2, State: membership.Joining, Stamp: 1}).Encode()})
	g.loop.take(g.inbox.take())
	if r, known := g.loop.ledger.Record("b"); !known || r.State != membership.Active {
		t.Errorf("the fleet has %v", r)
	}
	if _, known := g.loop.ledger.Record("new"); known {
		t.Error("a node that has announced nothing is in the ledger")
	}
	var shown []string
	for _, m := range g.loop.membersNow() {
		shown = append(shown, m.ID+" "+string(m.Kind)+" "+string(m.State))
	}
	if got := strings.Join(shown[:2], ", "); got != "b redis ACTIVE, new memcached JOINING" {
		t.Errorf("members: %s", got)
	}

	// Once it has heard, it says so in a message, and that counts.
	restarted.Stamp = 2
	delegate{g}.NotifyMsg(ledger.Message{Cluster: "ringway", Records: []ledger.Record{restarted}}.Encode())
	g.loop.take(g.inbox.take())
	if r, _ := g.loop.ledger.Record("b"); r.State != membership.Joining {
		t.Errorf("after its own word the fleet has %v", r)
	}
}

func TestMessagesOfOthersAreIgnored(t *testing.T) {
	g, _ := unopened(t, Config{AllowServerNames: []string{"a", "b"}})
	for _, m := range []ledger.Message{
		{Cluster: "other", Records: []ledger.Record{someRecord("a")}},
		{Cluster: "ringway", Records: []ledger.Record{someRecord("evil"), someRecord("b")}},
	} {
		delegate{g}.NotifyMsg(m.Encode())
	}
	delegate{g}.NotifyMsg([]byte{ledger.Version, 200})
	delegate{g}.NotifyJoin(&memberlist.Node{Name: "evil", Meta: metaOf(someRecord("evil")).Encode()})
	g.loop.take(g.inbox.take())
	if got := g.loop.ledger.Records(); len(got) != 1 || got[0].ID != "b" {
		t.Errorf("records: %v, want b's only", got)
	}
	if s := g.Stats().Ignored; s["cluster"] != 1 || s["server"] != 2 || s["malformed"] != 1 {
		t.Errorf("counted %v", s)
	}
	if !g.loop.alive("evil") {
		t.Error("the member itself is not seen")
	}
}

// TestFloodIsBounded: names that somebody makes up do not fill the memory.
func TestFloodIsBounded(t *testing.T) {
	var o once
	warned := 0
	for i := range 10 * onceSize {
		if o.first(strconv.Itoa(i)) {
			warned++
		}
	}
	if warned != onceSize || len(o.seen) != onceSize {
		t.Errorf("%d warnings, %d remembered, want %d of both", warned, len(o.seen), onceSize)
	}
}

func TestShortFingerprint(t *testing.T) {
	one, _ := ring.FingerprintOf(ring.Nodes("a"), ring.Config{})
	two, _ := ring.FingerprintOf(ring.Nodes("b"), ring.Config{})
	redis := shortFingerprint(map[membership.Kind]ring.Fingerprint{membership.Redis: one})
	if string(redis[:]) != string(one[:8]) {
		t.Errorf("of one kind: got %x, want the start of %v", redis, one)
	}
	both := shortFingerprint(map[membership.Kind]ring.Fingerprint{membership.Redis: one, membership.Memcached: two})
	swapped := shortFingerprint(map[membership.Kind]ring.Fingerprint{membership.Redis: two, membership.Memcached: one})
	if both == redis || both == swapped {
		t.Error("two kinds: the same as another fleet's")
	}
	if none := shortFingerprint(nil); none != [8]byte{} {
		t.Errorf("of nothing: %x", none)
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(metaOf(someRecord("b")).Encode())
	f.Add([]byte{2, 7, 'r', 'i', 'n', 'g', 'w', 'a', 'y', 1})
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		cluster, err := clusterOf(b)
		m, errMeta := ledger.DecodeMeta("b", b)
		if errMeta == nil && len(b) <= memberlist.MetaMaxSize && (err != nil || cluster != m.Cluster) {
			t.Errorf("got %q, %v; the meta data say %q", cluster, err, m.Cluster)
		}
		if errors.Is(errMeta, ledger.ErrVersion) && b[0] == ledger.Version {
			t.Error("a version that is known is not")
		}
	})
}

// A member that makes stamps up must not exhaust them: no later change would be
// taken for one.
func TestStampsThatCannotBe(t *testing.T) {
	g, _ := unopened(t, Config{})
	d := delegate{g}
	tell := func(m ledger.Message) {
		m.Cluster = "ringway"
		d.NotifyMsg(m.Encode())
		g.loop.take(g.inbox.take())
	}
	g.loop.contact.made = true
	first := someRecord("a")
	tell(ledger.Message{Epoch: 5, Records: []ledger.Record{first}})
	far := someRecord("b")
	far.Stamp = 6 + farAhead
	for i, m := range []ledger.Message{
		{Epoch: ledger.MaxStamp}, {Records: []ledger.Record{far}}, {Evictions: []ledger.Eviction{{ID: "a", Stamp: ledger.MaxStamp}}},
	} {
		if tell(m); g.loop.ledger.Epoch() != 5 || g.Stats().Ignored[malformed.String()] != uint64(i+1) {
			t.Errorf("message %d: epoch %d, ignored %v", i, g.loop.ledger.Epoch(), g.Stats().Ignored)
		}
	}
	far.Stamp--
	if tell(ledger.Message{Records: []ledger.Record{far}}); g.loop.ledger.Epoch() != far.Stamp {
		t.Errorf("epoch %d, want %d", g.loop.ledger.Epoch(), far.Stamp)
	}
}
