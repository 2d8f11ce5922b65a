package observer

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestConfigIsChecked(t *testing.T) {
	one := []string{"http://a:1"}
	ended, cancel := context.WithCancel(t.Context()) // nothing is waited for
	cancel()
	for want, cfg := range map[string]Config{
		"Agents: got none, want two":                          {},
		`Agents: got "a:8946"`:                                {Agents: []string{"a:8946"}},
		`Agents: got "10.0.0.1:8946": want a URL such as`:     {Agents: []string{"10.0.0.1:8946"}},
		`Agents: got "redis://a:1": want http://HOST:PORT`:    {Agents: []string{"redis://a:1"}},
		`Agents: got "http://": want`:                         {Agents: []string{"http://"}},
		`Agents: got "http://:80": want`:                      {Agents: []string{"http://:80"}},
		`Agents: got "unix://run/x": want`:                    {Agents: []string{"unix://run/x"}},
		`want no user in it: credentials go into Token`:       {Agents: []string{"http://u:pw@a:1"}},
		`Agents: got "a URL with a user": want a URL such as`: {Agents: []string{"http://u:pw%zz@a:1"}},
		`Agents: got "http://a:1?x=1": want no query`:         {Agents: []string{"http://a:1?x=1"}},
		`Agents: got "http://a:1#x": want no query`:           {Agents: []string{"http://a:1#x"}},
		`Agents: got "http://a:1/": the same twice`:           {Agents: []string{"http://a:1", "http://a:1/"}},
		`Agents: got "unix:///x": a unix URL beside`:          {Agents: []string{"unix:///x"}, Transport: network{}},
		"TLS: got one beside a Transport":                     {Agents: one, TLS: &tls.Config{}, Transport: network{}},
		"Token: got a character that no header can carry":     {Agents: one, Token: "s3\r\ncret"},
		"AnswerTimeout: got -1s, want 0 or more":              {Agents: one, AnswerTimeout: -time.Second},
		"RetryMin: got -1s":                                   {Agents: one, RetryMin: -time.Second},
		"RetryMax: got -1s":                                   {Agents: one, RetryMax: -time.Second},
		"RetryMax: got 1s, want at least RetryMin, 2s":        {Agents: one, RetryMin: 2 * time.Second, RetryMax: time.Second},
		"Convergence: got -1s":                                {Agents: one, Convergence: -time.Second},
	} {
		o, err := New(ended, cfg)
		if err == nil || o != nil || !strings.HasPrefix(err.Error(), "observer: config ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %s", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "s3") || strings.Contains(err.Error(), "pw")) {
			t.Errorf("a secret in %v", err)
		}
	}
}

func TestTokenIsNotPrinted(t *testing.T) {
	cfg := Config{Agents: []string{"http://a:1"}, Token: "s3cret"}
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), fmt.Sprintf("%v", &cfg)} {
		if strings.Contains(text, "s3cret") || !strings.Contains(text, "Token:hidden") {
			t.Errorf("printed as %s", text)
		}
	}
}
