package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
)

type membersFlags struct {
	clientFlags
	watch, assertAgree bool
}

func newMembers() *cobra.Command {
	var f membersFlags
	cmd := &cobra.Command{
		Use:   "members",
		Short: "Show who is in the fleet",
		Long: `Members lists nodes and routers as one agent sees them: what each is, how it does,
where it is, the exact part of the keys that it owns, since when its state has been what
it is, and whether its ring is that of the others. The state is one of JOINING,
ANNOUNCED, IMPORTING, ACTIVE, LEAVING, EXPORTING and LEFT, or UNHEALTHY where a server
does not answer its agent, or DEAD where an agent does not answer the fleet. Since when
is what the node says of its own state; of UNHEALTHY and DEAD, and of what comes after
them, it is when the agent that is asked learnt of it.`,
		Example: `  ringway members
  ringway members --agent http://10.0.0.1:8946,http://10.0.0.2:8946
  ringway members --watch
  ringway members --format json --assert-agree`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.clientFlags.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.watch, "watch", false, "show it again whenever it changes, until Ctrl-C")
	flags.BoolVar(&f.assertAgree, "assert-agree", false, "exit with 1 if members disagree about the ring")
	return cmd
}

func (f *membersFlags) run(cmd *cobra.Command) error {
	client, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	if f.watch {
		return watch(cmd, *f.format, func(ctx context.Context) (look, error) { return f.look(ctx, client) })
	}
	now, err := f.look(cmd.Context(), client)
	if err != nil {
		return err
	}
	return now.finish(cmd, *f.format, f.assertAgree)
}

func (f *membersFlags) look(ctx context.Context, client *agents.Client) (look, error) {
	r, m, from, err := client.Both(ctx)
	if err != nil {
		return look{}, err
	}
	if m.Fingerprint, err = ringsFingerprint(r); err != nil {
		return look{}, err
	}
	return look{report: membersReport(m, from), disagree: m.Disagree}, nil
}

// now is the clock that ages are told by; tests have their own.
var now = time.Now

// membersReport shows an answer of the agent at that URL.
func membersReport(m agentapi.Members, from string) cli.Report {
	records := make([]cli.Record, len(m.Members))
	for i, s := range m.Members {
		records[i] = memberRecord(s)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: agentapi.MembersSchema},
				{Name: "epoch", Value: m.Epoch},
				{Name: "fingerprint", Value: m.Fingerprint},
				{Name: "agree", Value: m.Agree},
				{Name: "disagree", Value: m.Disagree},
				{Name: "frozen", Value: m.Frozen},
				{Name: "ring_seen", Value: m.RingSeen},
				{Name: "ring_nodes", Value: m.RingNodes},
				{Name: "held", Value: m.Held},
				{Name: "other_version", Value: m.Later},
				{Name: "evicted", Value: evictedRecords(m.Evicted)},
				{Name: "agent", Value: from},
				{Name: "members", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { membersTable(b, s, m, now()) },
	}
}

// memberRecord has under state what there is to know at a glance, as protocol
// and table have it: the health where that is bad. lifecycle is what that hides.
func memberRecord(s agentapi.MemberStatus) cli.Record {
	return cli.Record{
		{Name: "id", Value: s.ID}, {Name: "kind", Value: string(s.Kind)}, {Name: "address", Value: s.Address},
		{Name: "state", Value: statusOf(s)}, {Name: "weight", Value: s.Weight}, {Name: "zone", Value: s.Zone},
		{Name: "generation", Value: s.Generation}, {Name: "share", Value: s.Share}, {Name: "fingerprint", Value: s.Fingerprint},
		{Name: "lifecycle", Value: string(s.State)}, {Name: "health", Value: string(s.Health)},
		{Name: "next_weight", Value: s.NextWeight}, {Name: "step", Value: string(s.Step)},
		{Name: "since", Value: timeText(s.StatusSince())}, {Name: "http", Value: s.HTTP},
		{Name: "lifecycle_since", Value: timeText(s.Since)},
	}
}

// timeText is what JSON and CSV show of a time that may not be known.
func timeText(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

func statusOf(s agentapi.MemberStatus) string {
	return membership.Member{State: s.State, Health: s.Health}.Status()
}

func membersTable(b *bytes.Buffer, s cli.Style, m agentapi.Members, at time.Time) {
	fmt.Fprintf(b, "epoch %d · %s · %s · fingerprint %s\n", m.Epoch, counted(len(m.Members), "member"), membersVerdict(s, m), short(m.Fingerprint))
	if text := disagreement(m.Disagree); text != "" {
		cli.WriteText(b, text+".", "")
	}
	membersTrouble(b, s, m)
	membersEvicted(b, m.Evicted, at)
	if len(m.Members) == 0 {
		return
	}
	b.WriteByte('\n')
	columns := []column{
		name("id", 8), words("kind"), words("status"), address(), {Column: cli.Column{Title: "weight"}, Least: 8}, name("zone", 4),
		number("share"), number("generation"), number("since"), words("agrees"),
	}
	members := slices.SortedStableFunc(slices.Values(m.Members), func(a, b agentapi.MemberStatus) int {
		return cmp.Compare(kindOrder(a.Kind), kindOrder(b.Kind))
	})
	var rows [][]string
	longGone := 0
	for _, member := range members {
		if member.State == membership.Left && at.Sub(member.Since) > forgetLeft {
			longGone++
			continue
		}
		rows = append(rows, memberRow(member, slices.Contains(m.Disagree, member.ID), at))
	}
	writeTable(b, s, columns, rows)
	if longGone > 0 {
		fmt.Fprintf(b, "\n%s left more than an hour ago: --format json lists them.\n", counted(longGone, "member"))
	}
}

// membersVerdict does not say of the few that are seen that all agree.
func membersVerdict(s cli.Style, m agentapi.Members) string {
	if m.Frozen && len(m.Disagree) == 0 {
		return s.Bold("frozen")
	}
	return verdict(s, m.Disagree)
}

// membersTrouble says what an operator has to know beside the table.
func membersTrouble(b *bytes.Buffer, s cli.Style, m agentapi.Members) {
	if m.Frozen {
		cli.WriteText(b, s.Bold("frozen")+fmt.Sprintf(": the agent sees %d of the %s that stay in the ring, not most of them, and evicts nobody.",
			m.RingSeen, counted(m.RingNodes, "node")), "")
	}
	if m.Held != "" {
		cli.WriteText(b, s.Bold("held")+": the agent goes by an older view of the fleet, in which there was room for all nodes: "+printable.Text(m.Held)+".", "")
	}
	if len(m.Later) > 0 {
		names := make([]string, len(m.Later))
		for i, id := range m.Later {
			names[i] = printable.Text(id)
		}
		cli.WriteText(b, counted(len(m.Later), "member")+" not understood, of another version of the protocol: "+strings.Join(names, ", ")+".", "")
	}
}

// membersEvicted names the nodes that others have thrown out: an agent that is started
// again joins anew by itself, so that whoever reads this has a server to look after.
func membersEvicted(b *bytes.Buffer, evicted []agentapi.Evicted, at time.Time) {
	var names []string
	for _, e := range evicted {
		if at.Sub(e.Since) <= forgetEvicted {
			names = append(names, printable.Text(e.ID)+" ("+age(e.Since, at)+")")
		}
	}
	if len(names) > 0 {
		cli.WriteText(b, "evicted, and not back: "+strings.Join(names, ", ")+".", "")
	}
}

func evictedRecords(evicted []agentapi.Evicted) []cli.Record {
	records := make([]cli.Record, len(evicted))
	for i, e := range evicted {
		records[i] = cli.Record{{Name: "id", Value: e.ID}, {Name: "since", Value: timeText(e.Since)}}
	}
	return records
}

// forgetEvicted is how long a node that was thrown out is named: its machine may be gone
// for good. JSON has all of them.
const forgetEvicted = 24 * time.Hour

// forgetLeft is how long a node that left is in the table. The fleet remembers it
// for weeks.
const forgetLeft = time.Hour

func memberRow(m agentapi.MemberStatus, disagrees bool, at time.Time) []string {
	agrees := "yes"
	switch {
	case disagrees:
		agrees = "NO"
	case m.Fingerprint == "":
		agrees = missing
	}
	weight, share, generation := weightText(m.Weight), percent(m.Share), generationText(m.Generation)
	if m.Step != "" {
		weight += "→" + weightText(m.NextWeight)
	}
	if m.Kind == membership.Router {
		weight, share, generation = missing, missing, missing
	}
	return []string{
		shown(m.ID), string(m.Kind), statusOf(m), shown(m.Address), weight, shown(m.Zone),
		share, generation, age(m.StatusSince(), at), agrees,
	}
}

// generationText shows the end of a generation, which is mostly a time: enough to
// see that it is another one.
func generationText(n uint64) string {
	const shown = 6 // digits
	text := strconv.FormatUint(n, 10)
	if len(text) > shown+1 {
		return "…" + text[len(text)-shown:]
	}
	return text
}
