package main

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agent"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership/gossip"
)

// networks are the words for --network, with the time to leave that is the
// default there.
var networks = map[string]struct {
	network gossip.Network
	leave   time.Duration
}{
	"local": {gossip.Local, time.Minute},
	"lan":   {gossip.LAN, 5 * time.Minute},
	"wan":   {gossip.WAN, 15 * time.Minute},
}

// load fills the flags and makes the agent's configuration of them. Nothing is
// opened. Errors are *cli.UsageError.
func (f *agentFlags) load(cmd *cobra.Command) (*settings.Settings, agent.Config, error) {
	s, err := settings.Load(cmd, os.Environ())
	if err != nil {
		return nil, agent.Config{}, err
	}
	cfg := agent.Config{Version: cmd.Root().Version, Server: f.server.config()}
	cfg.Gossip.Node = &gossip.NodeConfig{
		Address: f.server.address, Zone: f.zone, Weight: f.weight, Bootstrap: f.bootstrap, Purge: f.purge, Copies: f.copies,
	}
	cfg.Gossip.Name, cfg.KeepAfterRestart = f.id, f.onRestart == "keep"
	for _, step := range []func() error{
		func() error { return f.check(s) },
		func() error { return f.gossip.checkAddresses(s) },
		func() error { return f.gossip.fill(s, &cfg.Gossip) },
		func() error { return f.checkServer(s, cfg) },
		func() (err error) { cfg.Gossip.Placement, err = f.placementFlags.config(s); return err },
		func() error { return f.checkWeight(s, cfg.Gossip.Placement) },
		func() error { return f.http.fill(s, &cfg.HTTP) },
		func() error { return f.move.fill(s, cfg.Server, &cfg.Move) },
		func() (err error) { cfg.Logger, err = f.logger(s, cmd); return err },
	} {
		if err := step(); err != nil {
			return nil, agent.Config{}, err
		}
	}
	return s, cfg, nil
}

// passwordVariable may hold the password of the server. It is no flag: a command
// line can be read by everybody on the machine.
const passwordVariable = settings.Prefix + "SERVER_PASSWORD"

func (f *serverFlags) config() dataserver.Config {
	cfg := dataserver.Config{
		URL: f.url, Username: f.user, PasswordFile: f.passwordFile, Prefix: f.prefix, Rate: f.rate,
		TLS: dataserver.TLSFiles{CAFile: f.ca, CertFile: f.cert, KeyFile: f.key, ServerName: f.name},
	}
	if os.Getenv(passwordVariable) != "" {
		cfg.PasswordEnv = passwordVariable
	}
	return cfg
}

// fill sets what concerns the gossip.
func (f *gossipFlags) fill(s *settings.Settings, cfg *gossip.Config) (err error) {
	network, known := networks[f.network]
	if !known {
		return &cli.UsageError{Where: s.Where("network"), Found: cli.Quote(f.network), Want: "local, lan or wan"}
	}
	for flag, d := range map[string]time.Duration{"leave-timeout": f.leaveTimeout, "evict-after": f.evictAfter} {
		if d < 0 {
			return &cli.UsageError{Where: s.Where(flag), Found: d.String(), Want: "a duration above 0, or 0 for that of --network"}
		}
	}
	if f.leaveTimeout == 0 {
		f.leaveTimeout = network.leave
	}
	cfg.Cluster, cfg.Label, cfg.Network = f.cluster, f.label, network.network
	cfg.Bind, cfg.Advertise, cfg.Seeds = f.bind, f.advertise, f.join
	cfg.Timing.LeaveTimeout, cfg.Timing.EvictAfter = f.leaveTimeout, f.evictAfter
	if cfg.AllowGossip, err = prefixes(s.Where("allow-gossip"), f.allowGossip); err != nil {
		return err
	}
	for _, entry := range f.allowServers {
		if p, isNetwork := prefix(entry); isNetwork {
			cfg.AllowServers = append(cfg.AllowServers, p)
			continue
		}
		if !plausibleName(entry) {
			return &cli.UsageError{Where: s.Where("allow-servers"), Found: cli.Quote(entry), Want: "a network such as 10.0.0.0/8, a host name, .domain or unix:///path"}
		}
		cfg.AllowServerNames = append(cfg.AllowServerNames, entry)
	}
	cfg.Keys, err = readKeyFile(f.keyFile, s.Where("encrypt-key-file"))
	return err
}

func prefixes(where string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, entry := range list {
		p, ok := prefix(entry)
		if !ok {
			return nil, &cli.UsageError{Where: where, Found: cli.Quote(entry), Want: "a network such as 10.0.0.0/8, or an address"}
		}
		out = append(out, p)
	}
	return out, nil
}

// prefix reads a network, or an address that stands for itself alone.
func prefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// plausibleName reports whether a text can be a host name, a .domain or a socket:
// one that is a network gone wrong would allow nothing, and nobody would know why.
func plausibleName(text string) bool {
	if strings.HasPrefix(text, "unix:///") {
		return true
	}
	name := strings.TrimPrefix(text, ".")
	if name == "" || len(name) > 253 || strings.ContainsAny(name[len(name)-1:], "0123456789") && !strings.ContainsAny(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r == '-' || r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
}

// fill sets what concerns HTTP.
func (f *httpFlags) fill(s *settings.Settings, cfg *agent.HTTPConfig) (err error) {
	if (f.cert == "") != (f.key == "") {
		return &cli.UsageError{Where: s.Where("http-tls-cert"), Found: "one of certificate and key", Want: "both or neither"}
	}
	cfg.CertFile, cfg.KeyFile = f.cert, f.key
	if f.address != "none" {
		cfg.Address = f.address
		if err := checkHTTP(s.Where("http"), f.address); err != nil {
			return err
		}
	}
	if f.advertise != "" {
		cfg.Advertise = f.advertise
		if err := checkAdvertised(s.Where("http-advertise"), f.advertise, f.cert != ""); err != nil {
			return err
		}
	}
	if f.tokenFile != "" {
		cfg.Token, err = readToken(f.tokenFile, s.Where("token-file"))
	}
	return err
}

// checkAdvertised looks at an address that gossip has to have room for.
func checkAdvertised(where, address string, encrypted bool) error {
	most := gossip.MaxHTTPLength - len("http://")
	if encrypted {
		most--
	}
	host, port, err := net.SplitHostPort(address)
	n, errPort := strconv.ParseUint(port, 10, 16)
	if err != nil || errPort != nil || n == 0 || host == "" || len(address) > most {
		return &cli.UsageError{Where: where, Found: cli.Quote(address), Want: fmt.Sprintf("HOST:PORT of at most %d bytes", most)}
	}
	return nil
}

func checkHTTP(where, address string) error {
	wrong := &cli.UsageError{Where: where, Found: cli.Quote(address), Want: "HOST:PORT, unix:///PATH or none"}
	if path, isUnix := strings.CutPrefix(address, "unix://"); isUnix {
		if !strings.HasPrefix(path, "/") || len(path) < 2 {
			return wrong
		}
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if _, errPort := strconv.ParseUint(port, 10, 16); err != nil || errPort != nil {
		return wrong
	}
	return nil
}

// logger writes to standard error: results have standard output for themselves.
func (f *agentFlags) logger(s *settings.Settings, cmd *cobra.Command) (*slog.Logger, error) {
	var level slog.Level
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, f.logLevel) || level.UnmarshalText([]byte(f.logLevel)) != nil {
		return nil, &cli.UsageError{Where: s.Where("log-level"), Found: cli.Quote(f.logLevel), Want: "debug, info, warn or error"}
	}
	f.level.Set(level)
	options := &slog.HandlerOptions{Level: &f.level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), options)), nil
	}
	return nil, &cli.UsageError{Where: s.Where("log-format"), Found: cli.Quote(f.logFormat), Want: "text or json"}
}

// readKeyFile reads the keys of the gossip: one a line in base64. Empty lines and
// those that begin with # are passed over. What a line holds is in no error.
func readKeyFile(file, where string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	content, err := readBounded(file)
	if err != nil {
		return nil, unreadable(file, where, err)
	}
	var keys [][]byte
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		wrong := func(found, want string) error {
			return &cli.UsageError{Where: fmt.Sprintf("%s: %s:%d", where, file, number), Found: found, Want: want}
		}
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		switch {
		case err != nil:
			return nil, wrong("what is no base64", "a key in base64, such as head -c 32 /dev/urandom | base64 makes")
		case len(key) != 16 && len(key) != 24 && len(key) != 32:
			return nil, wrong(fmt.Sprintf("a key of %d bytes", len(key)), "16, 24 or 32")
		case slices.ContainsFunc(keys, func(k []byte) bool { return string(k) == string(key) }):
			return nil, wrong("a key that is there already", "each key once")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, &cli.UsageError{Where: where, Found: "no key in " + cli.Quote(file), Want: "at least one"}
	}
	return keys, nil
}
