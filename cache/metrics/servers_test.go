package metrics

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router"
)

// values returns the metrics of servers whose name begins so, by their labels.
func values(t *testing.T, s *Servers, name string) map[string]float64 {
	t.Helper()
	found := make(map[string]float64)
	for metric, value := range gathered(t, s) {
		if labels, is := strings.CutPrefix(metric, "ringway_server_"+name+"{"); is {
			found[strings.TrimSuffix(labels, "}")] = value
		}
	}
	return found
}

// A fleet of two masters, of which one has a replica: a real one that first follows,
// then is frozen, so that what is written meanwhile is its lag.
func TestReplicationLag(t *testing.T) {
	master, alone := servertest.Redis(t), servertest.Redis(t)
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	follower := servertest.Redis(t, "--replicaof", host+" "+port)
	fleet := redisOf(t, master.Addr(), alone.Addr())
	s := NewServers(ServersConfig{Redis: fleet, Timeout: 20 * time.Second})
	_, followerPort, _ := net.SplitHostPort(follower.Addr())
	label := "node=a,replica=127.0.0.1:" + followerPort
	eventually(t, "the replica has everything", func() bool {
		lag, known := values(t, s, "replica_lag_bytes")[label]
		return known && lag == 0 && values(t, s, "replica_online")[label] == 1
	})
	if got := values(t, s, "replicas"); len(got) != 2 || got["node=a"] != 1 || got["node=b"] != 0 {
		t.Errorf("replicas: %v", got)
	}
	follower.Stop()
	defer follower.Cont()
	direct := redis.NewClient(&redis.Options{Addr: master.Addr()})
	defer direct.Close()
	const written = 10_000
	if err := direct.Set(t.Context(), "k", strings.Repeat("x", written), time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if lag := values(t, s, "replica_lag_bytes")[label]; lag < written {
		t.Errorf("lag %v bytes after %d were written that it has not confirmed", lag, written)
	}
	eventually(t, "seconds pass without a confirmation", func() bool { return values(t, s, "replica_lag_seconds")[label] >= 1 })
	follower.Cont()
	eventually(t, "the replica has caught up", func() bool {
		return values(t, s, "replica_lag_bytes")[label] == 0 && values(t, s, "replica_lag_seconds")[label] <= 1
	})
	lint(t, s)
}

// A replica that hangs is dropped by its server after repl-timeout: nothing is said of it
// from then on, but that there is one less. The alert rules stand on that.
func TestReplicaThatHangsIsDropped(t *testing.T) {
	master := servertest.Redis(t, "--repl-timeout", "3", "--repl-ping-replica-period", "1", "--repl-diskless-sync-delay", "0")
	host, port, err := net.SplitHostPort(master.Addr())
	if err != nil {
		t.Fatal(err)
	}
	follower := servertest.Redis(t, "--replicaof", host+" "+port)
	s := NewServers(ServersConfig{Redis: redisOf(t, master.Addr()), Timeout: 20 * time.Second})
	online := func() bool {
		found := 0.0
		for _, is := range values(t, s, "replica_online") {
			found += is
		}
		return found == 1 && values(t, s, "replicas")["node=a"] == 1
	}
	eventually(t, "there is a replica", online)
	follower.Stop()
	defer follower.Cont()
	eventually(t, "it is dropped", func() bool {
		count, known := values(t, s, "replicas")["node=a"]
		return known && count == 0
	})
	for _, name := range []string{"replica_online", "replica_lag_seconds", "replica_lag_bytes"} {
		if got := values(t, s, name); len(got) != 0 {
			t.Errorf("%s of a replica that was dropped: %v", name, got)
		}
	}
	follower.Cont()
	eventually(t, "it is back", online)
}

func TestEvictionsOfServers(t *testing.T) {
	small := servertest.Redis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
	tiny := servertest.Memcached(t, "-m", "2", "-I", "512k")
	fleet, other := redisOf(t, small.Addr()), memcachedOf(t, tiny.Addr())
	s := NewServers(ServersConfig{Redis: fleet, Timeout: 20 * time.Second})
	m := NewServers(ServersConfig{Memcached: other, Timeout: 20 * time.Second})
	value := strings.Repeat("x", 10_000)
	eventually(t, "Redis evicts", func() bool {
		for i := range 400 {
			fleet.Set(t.Context(), fmt.Sprint("k", i), value, time.Hour)
		}
		return values(t, s, "evicted_keys_total")["node=a"] > 0
	})
	eventually(t, "Memcached evicts", func() bool {
		for i := range 400 {
			_ = other.Set(t.Context(), router.Item{Key: fmt.Sprint("k", i), Value: []byte(value)})
		}
		return values(t, m, "evicted_keys_total")["node=a"] > 0
	})
	for _, tt := range []struct {
		s     *Servers
		limit float64
	}{{s, 3 << 20}, {m, 2 << 20}} {
		if used, limit := values(t, tt.s, "memory_bytes")["node=a"], values(t, tt.s, "memory_limit_bytes")["node=a"]; used == 0 || limit != tt.limit {
			t.Errorf("memory %v of %v, want %v", used, limit, tt.limit)
		}
		if up := values(t, tt.s, "up"); up["node=a"] != 1 {
			t.Errorf("up: %v", up)
		}
	}
}

// A server that does not answer costs a scrape no more than the time-out.
func TestServerThatHangs(t *testing.T) {
	hangs, works := servertest.Redis(t), servertest.Redis(t)
	fleet := redisOf(t, hangs.Addr(), works.Addr())
	s := NewServers(ServersConfig{Redis: fleet, Timeout: 300 * time.Millisecond})
	eventually(t, "both are up", func() bool { up := values(t, s, "up"); return up["node=a"]+up["node=b"] == 2 })
	hangs.Stop()
	defer hangs.Cont()
	begun := time.Now()
	up := values(t, s, "up")
	if up["node=a"] != 0 || len(up) != 2 {
		t.Errorf("up: %v", up)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the scrape took %v", took)
	}
}

func TestReplicasOf(t *testing.T) {
	info := infoOf("# Replication\r\nrole:master\r\n" +
		"slave0:ip=::1,port=6380,state=online,offset=14,lag=2\r\n" +
		"slave1:ip=10.0.0.1,port=6379,state=wait_bgsave,offset=0,lag=0\r\n" +
		"slave2:nonsense\r\nslave3:ip=10.0.0.1,port=6379,state=online,offset=1,lag=1\r\n" +
		"slave4:ip=\xff,port=1,state=online,offset=1,lag=1\r\n" +
		"slave6:ip=10.0.0.2,port=6379,state=online,offset=1,lag=1\r\n")
	got := replicasOf(info)
	if len(got) != 2 || got[0] != (replica{"::1:6380", true, 14, 2}) || got[1] != (replica{"10.0.0.1:6379", false, 0, 0}) {
		t.Errorf("%+v", got)
	}
}

func FuzzInfo(f *testing.F) {
	f.Add("role:master\r\nslave0:ip=::1,port=6380,state=online,offset=14,lag=2\r\n")
	f.Add("slave0:=,=,\nslave1:")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range replicasOf(infoOf(text)) {
			if !valid(r.address) {
				t.Errorf("%q", r.address)
			}
		}
	})
}
