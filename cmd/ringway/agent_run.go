package main

import (
	"context"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/agent"
)

// run is the agent from its first breath to its last.
func (f *agentFlags) run(cmd *cobra.Command) error {
	s, cfg, err := f.load(cmd)
	if err != nil {
		return err
	}
	if f.printsConf {
		return s.Print(cmd.OutOrStdout(), map[string]func(string) string{"server": withoutPassword})
	}
	for _, text := range s.Unread {
		cfg.Logger.Warn(text)
	}
	// Signals that come while everything is opened wait their turn.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	a, err := agent.New(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	cfg.Logger.Info("agent started", "id", f.id, "version", cfg.Version, "server", a.Server(), "gossip", a.GossipAddr(), "http", a.HTTPAddr())
	n := newNotifier(cfg.Logger)
	n.ready("gossip on " + a.GossipAddr())

	ctx, cut := context.WithCancel(cmd.Context())
	defer cut()
	ended := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		f.heed(a, newReload(cmd, f, s, cfg), n, signals, cut, ended)
	}()
	err = a.Run(ctx)
	close(ended)
	<-finished
	n.stopping()
	if err == nil {
		cfg.Logger.Info("agent ended")
	}
	return err
}

// heed does what signals ask for, until the agent has ended.
func (f *agentFlags) heed(a *agent.Agent, again *reload, n *notifier, signals <-chan os.Signal, cut func(), ended <-chan struct{}) {
	log := again.log
	told := false // by a signal: what was aborted since does not count, nor does an order over HTTP
	for {
		select {
		case <-ended:
			return
		case sig := <-signals:
			switch {
			case sig == syscall.SIGHUP:
				again.read(a)
			case told && a.Leaving():
				log.Warn("a second signal: ending at once", "signal", sig.String())
				cut()
			default:
				told = true
				log.Info("leaving the fleet; a second signal ends at once", "signal", sig.String(), "leave_timeout", again.leaveTimeout)
				n.stopping()
				a.Leave()
			}
		}
	}
}

// withoutPassword shows a URL.
func withoutPassword(text string) string {
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" && u.Path == "" {
		return "hidden" // what cannot be parsed cannot be told from a password
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "hidden")
	}
	return u.String()
}
