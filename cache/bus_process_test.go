package cache

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// coherenceRun is a process with a first level that would keep values for an hour.
// Its source is what it is told last: "source NAME". "get" prints the value and
// where it came from, "change NAME" is the source and Invalidate in one.
func coherenceRun(_ string, addresses []string) error {
	ctx := context.Background()
	var members []membership.Member
	for i, a := range addresses {
		members = append(members, membership.Member{ID: string(rune('a' + i)), Address: a})
	}
	source, err := membership.Static(members...)
	if err != nil {
		return err
	}
	client, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		return err
	}
	defer client.Close()
	bus, err := NewRedisBus(client, "coherence", BusConfig{})
	if err != nil {
		return err
	}
	m, err := NewManager(ManagerConfig{Store: OnRedis(client), Bus: bus})
	if err != nil {
		return err
	}
	defer m.Close()
	name := "first" // of this goroutine, and of loads that it waits for
	s, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "user", L1: L1Config{MaxBytes: 1 << 20, TTL: time.Hour},
		Load: func(context.Context, userKey) (Loaded[user], error) {
			return Loaded[user]{Value: user{Name: name}}, nil
		}})
	if err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch verb {
		case "get":
			v, meta, err := s.Get(ctx, ada)
			fmt.Println(v.Name, meta.Source, s.l1.deaf.Load(), err)
		case "source", "change":
			if name = rest; verb == "change" {
				err = s.Invalidate(ctx, ada)
			}
			fmt.Println("ok", err)
		}
	}
	return nil
}

// Three processes: what one changes is read in the others moments later, though
// their first level holds what was there before.
func TestBusBetweenProcesses(t *testing.T) {
	addresses := []string{servertest.Redis(t).Addr(), servertest.Redis(t).Addr()}
	var all []*process
	for range 3 {
		all = append(all, startChild(t, "coherence", addresses, time.Second))
	}
	ask := func(p *process, line string) string { p.say(t, line); return p.next() }
	await := func(p *process, want string) {
		eventually(t, want, func() bool { return ask(p, "get") == want })
	}
	name := "first"
	for round := range 6 {
		for _, p := range all {
			await(p, name+" L1 false <nil>")
		}
		name = fmt.Sprint("change-", round)
		for i, p := range all {
			if i != round%3 {
				ask(p, "source "+name)
			}
		}
		if got := ask(all[round%3], "change "+name); got != "ok <nil>" {
			t.Fatal(got)
		}
	}
}
