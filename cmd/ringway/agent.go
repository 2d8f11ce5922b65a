package main

import (
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/cli"
)

// agentFlags are the settings of the agent: see their descriptions below.
type agentFlags struct {
	placementFlags
	server     serverFlags
	gossip     gossipFlags
	http       httpFlags
	move       moveFlags
	id, zone   string
	weight     float64
	bootstrap  bool
	purge      bool
	copies     int
	onRestart  string
	logFormat  string
	logLevel   string
	level      slog.LevelVar // logLevel, of the logger that was made
	file       string
	printsConf bool
}

func newAgent() *cobra.Command { return new(agentFlags).command() }

func (f *agentFlags) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Speak for one Redis or Memcached server in its fleet",
		Long: `Agent runs beside a Redis or Memcached server, which does not gossip itself: it probes
the server, announces it to the fleet once it may own keys, hands keys over that belong
to other nodes after a change, removes from the server what must not be there, and
answers the questions of clients and operators over HTTP. It never announces what it has
not probed.

The first node of a fleet is started with --bootstrap and keeps what it holds, all
others with --join. A server that holds keys although the fleet does not know it is
refused, unless --purge says that they may be removed.

Keys go as fast as --move-keys and --move-bytes allow, and slower while a server answers
slowly; "ringway rebalance" shows how far that is, and changes it.

SIGTERM or Ctrl-C makes the node leave: it hands its keys over, for at most
--leave-timeout, and the agent ends; a second one ends it at once. SIGHUP reads the
settings again, with the files of keys and tokens that they name. What can be changed
while the agent runs is changed: weight, move-keys, move-bytes, leave-timeout,
log-level, token-file and encrypt-key-file. The rest is named in the log and needs a
restart; if anything is wrong, nothing is changed and the log says what.`,
		Example: `  ringway agent --server redis://127.0.0.1:6379 --id cache-a --bind 10.0.0.1:7946 --bootstrap
  ringway agent --server redis://127.0.0.1:6379 --server-address 10.0.0.2:6379 --id cache-b \
      --bind 10.0.0.2:7946 --join 10.0.0.1:7946 --zone eu-1 --weight 2
  ringway agent --server memcached://127.0.0.1:11211 --id mc-a --join seeds.internal --http none
  ringway agent --config /etc/ringway/agent.yaml --print-config`,
		Args:        cli.NoArgs,
		Annotations: map[string]string{ownSignals: "yes"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.flags(cmd)
	return cmd
}

func (f *agentFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.id, "id", "", "the node's stable `ID`: it alone decides which keys are the node's, whatever its address (required)")
	flags.StringVar(&f.zone, "zone", "", "failure domain of the node, a `NAME`: copies of a key are kept in different ones")
	flags.Float64Var(&f.weight, "weight", 0, "share of the keys relative to other nodes, a `NUMBER`; 0: 1 for a new node, what it was for one that returns")
	flags.BoolVar(&f.bootstrap, "bootstrap", false, "begin a fleet if none is found: its first node, with the keys that the server holds")
	flags.BoolVar(&f.purge, "purge", false, "remove the keys of a server that the fleet does not know, in place of refusing it")
	flags.StringVar(&f.onRestart, "on-restart", "purge", "what becomes of keys with which the server comes back from a restart, `purge|keep`: they are as old as what it had on disk")
	flags.IntVar(&f.copies, "copies", 1, "nodes that hold each key, a `NUMBER`: the clients' replication factor, which a sweep spares")
	f.server.add(cmd)
	f.gossip.add(cmd)
	f.http.add(cmd)
	f.move.add(cmd)
	f.placementFlags.add(cmd)
	flags.StringVar(&f.logFormat, "log-format", "text", "format of the log on standard error, `text|json`")
	flags.StringVar(&f.logLevel, "log-level", "info", "least level that is logged, `debug|info|warn|error`")
	addConfig(cmd, &f.file)
	flags.BoolVar(&f.printsConf, "print-config", false, "check the settings, print them and where each comes from, and end")
	settings.CommandLineOnly(flags, "print-config")
	oneOf(cmd, "on-restart", "purge", "keep")
	oneOf(cmd, "log-format", "text", "json")
	oneOf(cmd, "log-level", "debug", "info", "warn", "error")
	noWords(cmd, "id", "zone", "weight", "copies")
}

// serverFlags say where the data server is.
type serverFlags struct {
	url, address, prefix string
	user, passwordFile   string
	ca, cert, key, name  string
	rate                 int
}

func (f *serverFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.url, "server", "", "`URL` of the server: redis://[user:password@]host:port/db, rediss://, redis+unix:///path, memcached://, memcacheds:// or memcached+unix:// (required)")
	flags.StringVar(&f.address, "server-address", "", "the server's address as clients dial it, `HOST:PORT` or unix:///path; by default that of --server")
	flags.StringVar(&f.prefix, "prefix", "", "count and remove only keys that begin with this `TEXT`")
	flags.StringVar(&f.user, "server-user", "", "Redis user `NAME`")
	flags.StringVar(&f.passwordFile, "server-password-file", "", "`FILE` with the Redis password, read again for each connection; or set RINGWAY_SERVER_PASSWORD")
	flags.StringVar(&f.ca, "server-tls-ca", "", "PEM `FILE` with who vouches for the server's certificate; by default the system's")
	flags.StringVar(&f.cert, "server-tls-cert", "", "PEM `FILE` with the certificate to show to the server")
	flags.StringVar(&f.key, "server-tls-key", "", "PEM `FILE` with its key")
	flags.StringVar(&f.name, "server-tls-name", "", "`NAME` in the server's certificate; by default the host of --server")
	flags.IntVar(&f.rate, "purge-rate", 0, "most keys a second that purges and sweeps look at, a `NUMBER`; 0: no limit")
	noWords(cmd, "server", "server-address", "prefix", "server-user", "server-tls-name", "purge-rate")
}

// gossipFlags say how members find each other.
type gossipFlags struct {
	cluster, label, network   string
	bind, advertise           string
	join                      []string
	keyFile                   string
	allowGossip, allowServers []string
	leaveTimeout, evictAfter  time.Duration
}

func (f *gossipFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.cluster, "cluster", "ringway", "`NAME` of the fleet; members of another one are refused")
	flags.StringVar(&f.label, "label", "", "`TEXT` that marks all packets; members with another one do not hear each other")
	flags.StringVar(&f.network, "network", "lan", "what to expect of delays, `local|lan|wan`")
	flags.StringVar(&f.bind, "bind", "", "`IP:PORT` to gossip on, UDP and TCP; by default port 7946 of all IPv4 addresses, or of 127.0.0.1 with --network local")
	flags.StringVar(&f.advertise, "advertise", "", "`IP[:PORT]` at which other members reach this one, if that is not --bind")
	flags.StringSliceVar(&f.join, "join", nil, "members to ask for the fleet, a `LIST` of HOST[:PORT]; one that answers is enough")
	flags.StringVar(&f.keyFile, "encrypt-key-file", "", "`FILE` with keys that encrypt the gossip, one a line in base64, of 16, 24 or 32 bytes; the first is used to send")
	flags.StringSliceVar(&f.allowGossip, "allow-gossip", nil, "networks whose members are heard, a `LIST` such as 10.0.0.0/8; by default all")
	flags.StringSliceVar(&f.allowServers, "allow-servers", nil, "where servers may be, a `LIST` of networks, host names, .domains and unix:///paths; by default anywhere")
	flags.DurationVar(&f.leaveTimeout, "leave-timeout", 0, "how long to hand keys over when leaving, a `DURATION` such as 5m; 0: that of --network, 1m, 5m or 15m")
	flags.DurationVar(&f.evictAfter, "evict-after", 0, "how long a node is dead or unhealthy before it loses its keys, a `DURATION`; 0: that of --network, 5s, 30s or 90s")
	oneOf(cmd, "network", "local", "lan", "wan")
	noWords(cmd, "cluster", "label", "bind", "advertise", "join", "allow-gossip", "allow-servers", "leave-timeout", "evict-after")
}

// httpFlags say where questions are answered.
type httpFlags struct {
	address   string
	advertise string
	tokenFile string
	cert, key string
}

func (f *httpFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "http", "127.0.0.1:8946", "answer HTTP here, `HOST:PORT` or unix:///path; none: nowhere")
	flags.StringVar(&f.advertise, "http-advertise", "", "`HOST:PORT` at which others reach --http, if that is not what it says: shown to the fleet, for commands that ask every agent")
	flags.StringVar(&f.tokenFile, "token-file", "", "`FILE` with a token that whoever changes something has to send; without one only this machine may")
	flags.StringVar(&f.cert, "http-tls-cert", "", "PEM `FILE` with a certificate: answer HTTPS")
	flags.StringVar(&f.key, "http-tls-key", "", "PEM `FILE` with its key")
	noWords(cmd, "http", "http-advertise")
}
