package swim

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/internal/memnet"
	"github.com/ringway/ringway/internal/pause"
)

// Changes are what can happen to a fleet.
const (
	Crash     = "crash"     // a host fails without a word
	Leave     = "leave"     // a member says good-bye
	Partition = "partition" // three of ten are cut off until each side has given up the other; then all is whole again
)

// Limits of a Config.
const (
	MinNodes, MaxNodes = 5, 1000
	MaxLoss            = 0.5
)

// Config says what is measured.
type Config struct {
	Nodes   int     // MinNodes to MaxNodes
	Loss    float64 // of packets, 0 to MaxLoss
	Changes []string
	Seed    uint64

	// Progress, when not nil, is called as time goes by, with what is waited for.
	Progress func(what string)
}

// Report is what was measured.
type Report struct {
	Nodes int     `json:"nodes"`
	Loss  float64 `json:"loss"`
	Steps []Step  `json:"results"`

	// FalseDeaths is how many members that could be reached were declared dead, be
	// it by one other, be it for a moment; partitions and their ends left out.
	FalseDeaths int `json:"false_deaths"`

	// PacketsPerSecond and BytesPerSecond are what a member sends while nothing
	// happens, in ten seconds after all have joined. Nil if the run ended before.
	PacketsPerSecond *float64 `json:"packets_per_second"`
	BytesPerSecond   *float64 `json:"bytes_per_second"`
}

// Step is one thing that happened, and how long it took until members knew of it, in
// seconds.
type Step struct {
	Change    string   `json:"change"`
	Observers int      `json:"observers"` // members that are to learn of it
	Aware     int      `json:"aware"`     // those that have
	First     *float64 `json:"first"`     // until the first of them has
	Median    *float64 `json:"median"`
	All       *float64 `json:"all"` // nil if not all have within the bound
	// Expected is about how long it takes until all know, and ExpectedHalf until
	// half do; Earliest is when the first may know, LatestHalf when half of them
	// must, and Latest when all must. Late is how many knew after LatestHalf.
	Expected     float64 `json:"expected"`
	ExpectedHalf float64 `json:"expected_half"`
	Earliest     float64 `json:"earliest"`
	LatestHalf   float64 `json:"latest_half"`
	Latest       float64 `json:"latest"`
	Late         int     `json:"late"`
	Within       bool    `json:"within"`
	Why          string  `json:"why"` // where Expected comes from
}

// Run builds a fleet and takes it through the changes. When the context is cancelled
// it returns the report so far and the context's error. Other errors are about what
// could not be done; then there is no report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	network, err := memnet.New(memnet.Config{Seed: cfg.Seed, Delay: time.Millisecond, Jitter: time.Millisecond, Grain: 5 * time.Millisecond, Loss: cfg.Loss})
	if err != nil {
		return nil, err
	}
	f := &fleet{cfg: cfg, network: network, report: &Report{Nodes: cfg.Nodes, Loss: cfg.Loss, Steps: []Step{}}}
	defer f.stop()
	if err := f.start(ctx); err != nil {
		return f.report, err
	}
	for _, change := range cfg.Changes {
		switch change {
		case Crash:
			err = f.crash(ctx)
		case Leave:
			err = f.leave(ctx)
		case Partition:
			err = f.partition(ctx)
		default:
			err = fmt.Errorf("swim: no such change: %q", change)
		}
		if err != nil {
			break
		}
	}
	f.report.FalseDeaths = f.falseDeaths()
	return f.report, err
}

// fleet is the members that there are.
type fleet struct {
	cfg     Config
	network *memnet.Network
	members []*member
	report  *Report
}

func address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946)
}

// start brings all members up, who join through the first.
func (f *fleet) start(ctx context.Context) error {
	var began time.Time
	for i := range f.cfg.Nodes {
		m, err := newMember(f.network, i)
		if err != nil {
			return err
		}
		f.members = append(f.members, m)
		began = time.Now()
		if i > 0 {
			if err := m.join(f.members[0]); err != nil {
				return err
			}
		}
		f.tell("members start")
		if err := pause.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	whole := f.names(f.members)
	if err := f.await(ctx, "join", began, f.members, joinExpectation(f.cfg.Nodes, f.cfg.Loss), func(m *member) (time.Time, bool) { return m.sees(whole) }); err != nil {
		return err
	}
	return f.quiet(ctx)
}

// quiet counts what members send when nothing happens.
func (f *fleet) quiet(ctx context.Context) error {
	const counted = 10 * time.Second
	if err := pause.For(ctx, 5*time.Second); err != nil { // what was told is passed on
		return err
	}
	before := f.network.Total()
	f.tell("nothing happens")
	if err := pause.For(ctx, counted); err != nil {
		return err
	}
	after := f.network.Total()
	each := counted.Seconds() * float64(len(f.members))
	packets, bytes := float64(after.PacketsSent-before.PacketsSent)/each, float64(after.PacketBytesSent-before.PacketBytesSent)/each
	f.report.PacketsPerSecond, f.report.BytesPerSecond = &packets, &bytes
	return nil
}

// take removes the member in the middle from the fleet.
func (f *fleet) take() *member {
	i := len(f.members) / 2
	m := f.members[i]
	f.members = slices.Delete(f.members, i, i+1)
	return m
}

func (f *fleet) crash(ctx context.Context) error {
	m := f.take()
	began := time.Now()
	for _, other := range f.members {
		other.expectLoss(m.name)
	}
	f.network.Crash(m.addr)
	if err := m.list.Shutdown(); err != nil {
		return err
	}
	return f.await(ctx, Crash, began, f.members, crashExpectation(len(f.members)+1, f.cfg.Loss), func(o *member) (time.Time, bool) { return o.lost(m.name) })
}

func (f *fleet) leave(ctx context.Context) error {
	m := f.take()
	for _, other := range f.members {
		other.expectLoss(m.name)
	}
	began := time.Now()
	if err := m.list.Leave(10 * time.Second); err != nil {
		return err
	}
	err := f.await(ctx, Leave, began, f.members, leaveExpectation(len(f.members)+1, f.cfg.Loss), func(o *member) (time.Time, bool) { return o.lost(m.name) })
	if down := m.list.Shutdown(); err == nil {
		err = down
	}
	return err
}

// partition cuts three of ten off, and has the network healed once each side has
// given up the other; then one member contacts the other side, as ringway's do.
func (f *fleet) partition(ctx context.Context) error {
	size := max(1, len(f.members)*3/10)
	few, many := f.members[:size], f.members[size:]
	var addresses []netip.AddrPort
	for _, m := range few {
		addresses = append(addresses, m.addr)
	}
	// Not only the other side: when the network is whole again, members hear from
	// there that those beside them are dead, until these have refuted it.
	for _, m := range f.members {
		m.expectLoss(f.names(f.members)...)
	}
	began := time.Now()
	if err := f.network.Partition(addresses); err != nil {
		return err
	}
	other := map[bool][]string{true: f.names(many), false: f.names(few)}
	err := f.await(ctx, Partition, began, f.members, splitExpectation(len(few), len(many), f.cfg.Loss), func(o *member) (time.Time, bool) {
		return o.lost(other[slices.Contains(few, o)]...)
	})
	f.network.Heal()
	if err != nil {
		return err
	}
	began = time.Now()
	if err := few[0].join(many[0]); err != nil {
		return err
	}
	whole := f.names(f.members)
	err = f.await(ctx, "heal", began, f.members, healExpectation(len(f.members), f.cfg.Loss), func(m *member) (time.Time, bool) { return m.sees(whole) })
	for _, m := range f.members {
		m.expectNoLoss()
	}
	return err
}

func (f *fleet) names(members []*member) (names []string) {
	for _, m := range members {
		names = append(names, m.name)
	}
	return names
}

func (f *fleet) tell(what string) {
	if f.cfg.Progress != nil {
		f.cfg.Progress(what)
	}
}

// stop ends all members.
func (f *fleet) stop() {
	for _, m := range f.members {
		_ = m.list.Shutdown() // which fails only for a member that was not set up
	}
}

func (f *fleet) falseDeaths() int {
	dead := make(map[string]bool)
	for _, m := range f.members {
		for _, name := range m.falseDeaths() {
			dead[name] = true
		}
	}
	return len(dead)
}

// settings are those of every member.
func settings() *memberlist.Config { return memberlist.DefaultLANConfig() }
