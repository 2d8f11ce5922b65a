package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
)

// follow shows the movers until no transition is under way, and no node joins: on a
// terminal a bar for each node that hands keys over, elsewhere a line for all of them
// when they have got on.
func (f *rebalanceFlags) follow(cmd *cobra.Command, client *agents.Client) error {
	w := &watcher{out: cmd.OutOrStdout(), errs: cmd.ErrOrStderr(), format: *f.format}
	w.inPlace = *f.format == cli.Table && cli.IsTerminal(w.out)
	return followMovers(cmd.Context(), w, watchEvery, func(ctx context.Context) (movers, error) {
		return askMovers(ctx, client, membership.Kind(f.kind))
	})
}

func followMovers(ctx context.Context, w *watcher, every time.Duration, ask func(context.Context) (movers, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var log moverLog
	for {
		m, err := ask(ctx)
		m.close()
		switch {
		case ctx.Err() != nil:
			return ctx.Err() // it ends by itself, and has not yet
		case err != nil && !w.begun:
			return err
		case err != nil:
			w.trouble(err)
		default:
			if err := w.showMovers(m, &log); err != nil {
				return err
			}
			if m.reached() && len(m.underWay()) == 0 && len(m.joining()) == 0 {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// showMovers shows one look.
func (w *watcher) showMovers(m movers, log *moverLog) error {
	if w.format == cli.Table && !w.inPlace {
		w.begun, w.said = true, ""
		return log.write(w.out, m)
	}
	report := moversReport(m)
	report.Table = func(b *bytes.Buffer, s cli.Style) { moverLines(b, s, m) }
	return w.show(look{report: report})
}

// reached reports whether any agent has answered: without one nobody knows whether
// a transition is under way.
func (m movers) reached() bool {
	for _, one := range m.all {
		if one.at != nil {
			return true
		}
	}
	return len(m.all) == 0
}

// joining returns the nodes that are on their way into the fleet, and for which a
// transition is to come: those that are well, as far as is known.
func (m movers) joining() (ids []string) {
	for _, one := range m.all {
		if one.member.State == membership.Joining && one.member.Health == membership.Healthy {
			ids = append(ids, one.member.ID)
		}
	}
	return ids
}

// moverLines writes what all nodes come to, and a line for each, with a bar if it hands
// keys over.
func moverLines(b *bytes.Buffer, s cli.Style, m movers) {
	fmt.Fprintf(b, "%s\n", s.Bold(transitionsText(m)))
	if text := totalOf(m).text(); text != "" && len(m.all) > 1 {
		cli.WriteText(b, text, "  ")
	}
	width := 0
	for _, one := range m.all {
		width = max(width, min(cli.Width(shown(one.member.ID)), 24))
	}
	for _, one := range m.byNews() {
		id := cli.Clip(shown(one.member.ID), 24)
		id += strings.Repeat(" ", max(0, width-cli.Width(id)))
		switch {
		case one.at == nil:
			fmt.Fprintf(b, "%s  not reached\n", id)
		case busy(one.now) && one.now.KeysLeft >= 0:
			fmt.Fprintf(b, "%s  %s  %s\n", id, barOf(one.now), paceText(one.now))
		case busy(one.now):
			fmt.Fprintf(b, "%s  %s, %s\n", id, progressText(one.now), paceText(one.now))
		case one.member.State == membership.Joining:
			fmt.Fprintf(b, "%s  joining\n", id)
		case one.now.KeysMoved > 0:
			fmt.Fprintf(b, "%s  done, %s\n", id, progressText(one.now))
		default:
			fmt.Fprintf(b, "%s  nothing to move\n", id)
		}
		for _, t := range troubles(one) {
			cli.WriteText(b, t.text+".", "    ")
		}
	}
}

// barOf draws how much of what is known to be there has gone.
func barOf(r agentapi.Rebalance) string {
	const width = 24 // cells
	total := max(r.KeysMoved+r.KeysLeft, 1)
	bar := progressbar.NewOptions64(total, progressbar.OptionSetWriter(io.Discard), progressbar.OptionSetWidth(width),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetTheme(progressbar.ThemeASCII))
	_ = bar.Set64(min(r.KeysMoved, total)) // fails only past the total
	return strings.TrimSpace(strings.TrimLeft(bar.String(), "\r"))
}

func progressText(r agentapi.Rebalance) string {
	text := fmt.Sprintf("%s, %s moved", keysText(r.KeysMoved), rebalance.ByteText(r.BytesMoved))
	if busy(r) {
		text = fmt.Sprintf("pass %d, %s", r.Pass, text)
	}
	return text
}

func keysText(n int64) string {
	if n == 1 {
		return "1 key"
	}
	return countText(n) + " keys"
}

// paceText says how fast keys move, or why none does.
func paceText(r agentapi.Rebalance) string {
	text := r.State
	if r.Paused {
		text = "paused"
	}
	if text == "moving" {
		text = countText(int64(r.KeysPerSecond)) + " keys/s"
		if r.SecondsLeft >= 0 {
			text += ", " + span(r.SecondsLeft) + " left"
		}
	}
	return text
}
