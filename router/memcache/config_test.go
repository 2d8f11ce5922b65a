package memcache

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"
)

func TestConfigRefused(t *testing.T) {
	tests := []struct {
		config Config
		field  string
	}{
		{Config{}, "Address"},
		{Config{Address: "localhost"}, "Address"},
		{Config{Address: ":11211"}, "Address"},
		{Config{Address: "localhost:0"}, "Address"},
		{Config{Address: "localhost:65536"}, "Address"},
		{Config{Address: "localhost:http"}, "Address"},
		{Config{Address: "::1:11211"}, "Address"},
		{Config{Address: "unix://relative"}, "Address"},
		{Config{Address: "unix://"}, "Address"},
		{Config{Address: "/tmp/socket"}, "Address"},
		{Config{Address: "h:1", Conns: -1}, "Conns"},
		{Config{Address: "h:1", Conns: 65}, "Conns"},
		{Config{Address: "h:1", DialTimeout: -1}, "DialTimeout"},
		{Config{Address: "h:1", ReplyTimeout: -1}, "ReplyTimeout"},
		{Config{Address: "h:1", MaxValueSize: -1}, "MaxValueSize"},
		{Config{Address: "h:1", MaxValueSize: 1<<30 + 1}, "MaxValueSize"},
	}
	for _, tt := range tests {
		c, err := New(tt.config)
		var refused *InputError
		if c != nil || !errors.Is(err, ErrInvalidConfig) || !errors.As(err, &refused) || refused.Field != tt.field {
			t.Errorf("%+v: got %v, want ErrInvalidConfig about %s", tt.config, err, tt.field)
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	given := &tls.Config{MinVersion: tls.VersionTLS13}
	got, at, err := Config{Address: "[::1]:11211", TLS: given}.checked()
	must(t, err)
	if at.network != "tcp" || at.address != "[::1]:11211" || got.TLS.ServerName != "::1" || given.ServerName != "" {
		t.Errorf("got endpoint %+v, server name %q; the caller's TLS config has %q", at, got.TLS.ServerName, given.ServerName)
	}
	if got.Conns != 2 || got.DialTimeout != time.Second || got.ReplyTimeout != 2*time.Second || got.MaxValueSize != 1<<20 {
		t.Errorf("got %+v", got)
	}
	_, at, err = Config{Address: "unix:///run/memcached.sock"}.checked()
	if err != nil || at != (endpoint{network: "unix", address: "/run/memcached.sock"}) {
		t.Errorf("got %+v, %v", at, err)
	}
}
