package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/agentapi"
)

// Who says how fast keys would move.
const (
	rateOfFlags  = "flags"
	rateOfAgents = "agents"
)

// rate is how fast the sources would move keys, beside planner.limits.
type rate struct {
	from    string   // rateOfFlags or rateOfAgents; empty: nobody was asked, or none has answered
	differ  bool     // the agents do not have the same limits: the least of them counts
	unheard []string // sources whose agents have not said theirs
}

// askRate takes the limits that the agents of the sources have, unless flags say
// others or no time could be told anyway. An agent that does not answer is no error.
func (p *planner) askRate(cmd *cobra.Command, sources []string) error {
	if changed := cmd.Flags().Changed; changed("keys-per-second") || changed("bytes-per-second") {
		p.rate.from = rateOfFlags
		return nil
	}
	if p.noSample {
		return nil
	}
	ctx, cancel := bounded(cmd.Context())
	defer cancel()
	m, _ := askMovers(ctx, p.client, p.kind)
	defer m.close()
	p.takeRate(m, sources)
	return cmd.Context().Err()
}

// takeRate takes the least limits of the sources.
func (p *planner) takeRate(m movers, sources []string) {
	var limits []agentapi.MoveLimits
	for _, id := range sources {
		if one, has := m.find(id); has && one.at != nil && one.now.State != "none" {
			limits = append(limits, one.now.Limits)
		} else {
			p.rate.unheard = append(p.rate.unheard, id)
		}
	}
	for _, l := range limits {
		p.rate.from = rateOfAgents
		p.rate.differ = p.rate.differ || l != limits[0]
		if l.KeysPerSecond > 0 && (p.limits.Keys == 0 || l.KeysPerSecond < p.limits.Keys) {
			p.limits.Keys = l.KeysPerSecond
		}
		if l.BytesPerSecond > 0 && (p.limits.Bytes == 0 || l.BytesPerSecond < p.limits.Bytes) {
			p.limits.Bytes = l.BytesPerSecond
		}
	}
}

// source says where the rate is from, or why there is none; empty: the flags tell.
func (r rate) source(limited, asked bool) string {
	switch {
	case limited && r.from == rateOfAgents && r.differ:
		return "the least of the agents' limits"
	case limited && r.from == rateOfAgents:
		return "the agents' limit"
	case limited:
		return ""
	case r.from == rateOfAgents:
		return "the agents have no limit, so no time"
	case r.from == "" && asked:
		return "no agent told its limit, so no time"
	}
	return "no rate given, so no time"
}

// note says whose limits are missing from the rate; empty: nobody's.
func (r rate) note() string {
	if r.from != rateOfAgents || len(r.unheard) == 0 {
		return ""
	}
	names := make([]string, len(r.unheard))
	for i, id := range r.unheard {
		names[i] = shownName(id)
	}
	slices.Sort(names)
	if more := len(names) - shownNodes; more > 0 {
		names = append(names[:shownNodes], counted(more, "other node"))
	}
	return fmt.Sprintf("the agents of %s did not tell their limits: the rate is that of the others", strings.Join(names, ", "))
}
