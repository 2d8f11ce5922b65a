package transit

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twoRedis returns O and N.
func twoRedis(t *testing.T) (o, n Redis) {
	t.Helper()
	start := func() Redis {
		c := redis.NewClient(&redis.Options{Addr: servertest.Redis(t, "--enable-debug-command", "yes").Addr()})
		t.Cleanup(func() { c.Close() })
		return Redis{Client: c}
	}
	return start(), start()
}

// bothWays runs a test over the client alone, and over lines.
func bothWays(t *testing.T, test func(t *testing.T, o, n Redis)) {
	t.Run("client", func(t *testing.T) {
		o, n := twoRedis(t)
		test(t, o, n)
	})
	t.Run("lines", func(t *testing.T) {
		o, n := twoRedis(t)
		o.Lines, n.Lines = NewLines(o.Client), NewLines(n.Client)
		defer n.Lines.Close()
		defer o.Lines.Close()
		test(t, o, n)
	})
}

// twoMemcached returns O and N.
func twoMemcached(t *testing.T) (o, n Memcached) {
	t.Helper()
	start := func() Memcached {
		c, err := memcache.New(memcache.Config{Address: servertest.Memcached(t).Addr()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return Memcached{Client: c}
	}
	return start(), start()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
