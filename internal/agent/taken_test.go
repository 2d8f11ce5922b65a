package agent

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
)

func TestClaims(t *testing.T) {
	for _, c := range []claim{{"ringway", "a", "1@2"}, {`a "b"`, "c d\n", "start 1"}, {"", "é", "x"}} {
		if got := parseClaim(c.String()); got != c {
			t.Errorf("%v: got %v", c, got)
		}
	}
	for _, text := range []string{"", "x", `"a"`, `"a" "b"`, `"a" "b" `, `"a"  "b" c`, "`a` \"b\" c"} {
		if got := parseClaim(text); got != (claim{}) {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

// Whoever starts an agent beside the server of another node finds out before a key
// is removed, under whatever name it has the server.
func TestServerOfAnotherNode(t *testing.T) {
	server := servertest.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	cfg := config("a")
	cfg.Server.URL = "redis://" + server.Addr()
	a := startReal(t, cfg)
	a.active(t)
	eventually(t, "the server is marked", func() bool { return client.Exists(t.Context(), transit.ProcessKey("")).Val() == 1 })
	for name, c := range map[string]struct {
		url   string
		purge bool
		keys  bool
	}{
		"by its address":            {"redis://" + server.Addr(), true, true},
		"by another name":           {"redis://" + strings.Replace(server.Addr(), "127.0.0.1", "localhost", 1), true, true},
		"by another name, empty":    {"redis://" + strings.Replace(server.Addr(), "127.0.0.1", "localhost", 1), false, false},
		"an empty one to be purged": {"redis://" + server.Addr(), true, false},
	} {
		if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if !c.keys {
			client.Del(t.Context(), "key")
		}
		cfg := config("b", a.GossipAddr())
		cfg.Server.URL, cfg.Gossip.Node.Purge = c.url, c.purge
		b := startReal(t, cfg)
		var taken *gossip.ServerTakenError
		if err := b.wait(t); !errors.As(err, &taken) || taken.ID != "b" || taken.Owner != "a" {
			t.Errorf("%s: %v", name, err)
		}
		if n := client.Exists(t.Context(), "key").Val(); (n == 1) != c.keys {
			t.Errorf("%s: the key is gone", name)
		}
	}
}

// The same goes for a node that the fleet has gone on with, and whose agent was
// given another server meanwhile.
func TestServerOfAnotherNodeAfterRestart(t *testing.T) {
	data := dataservertest.New(membership.Redis, "127.0.0.1:1", "")
	data.Set("key")
	if err := data.Mark(t.Context(), claim{"ringway", "b", "start 1"}.String()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ owns, seen, kept bool }{{true, true, true}, {true, false, true}, {false, false, false}} {
		r := watched(t, data, resumed, false)
		r.others = func(id string) (owns, seen bool) { return c.owns && id == "b", c.seen }
		err := settled(t, r)
		var taken *gossip.ServerTakenError
		if errors.As(err, &taken) != c.seen || (err != nil) != c.kept || (len(data.Keys()) == 1) != c.kept {
			t.Errorf("%+v: %v, keys %q", c, err, data.Keys())
		}
	}
}
