package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// serve answers with a stored page.
func serve(w http.ResponseWriter, r *http.Request, p *page, from string) {
	to := w.Header()
	for name, values := range p.Header {
		to[name] = values
	}
	to.Set("Age", strconv.FormatInt(int64(p.age(time.Now())/time.Second), 10))
	to.Set("X-Cache", from)
	if p.Status == http.StatusOK && unchanged(r, p) {
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Range"} {
			to.Del(name)
		}
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if p.Status != http.StatusNoContent {
		to.Set("Content-Length", strconv.Itoa(len(p.body)))
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(p.body) // a caller who has gone is no matter of ours
	}
}

// unchanged says whether the caller has the page already (RFC 9110, section 13.2.2).
func unchanged(r *http.Request, p *page) bool {
	if tags := r.Header.Values("If-None-Match"); len(tags) > 0 {
		return matches(strings.Join(tags, ","), p.Header.Get("Etag"))
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(p.Header.Get("Last-Modified"))
	return err == nil && !modified.After(since)
}

// matches compares entity tags weakly (RFC 9110, section 8.8.3.2).
func matches(list, tag string) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	opaque, opened := strings.CutPrefix(strings.TrimPrefix(tag, "W/"), `"`)
	opaque, closed := strings.CutSuffix(opaque, `"`)
	if !opened || !closed {
		return false
	}
	for list != "" {
		list = strings.TrimPrefix(strings.TrimLeft(list, " \t,"), "W/")
		if !strings.HasPrefix(list, `"`) {
			return false // written badly: the whole page does no harm
		}
		one, rest, found := strings.Cut(list[1:], `"`)
		if !found {
			return false
		}
		if one == opaque {
			return true
		}
		list = rest
		if list = strings.TrimLeft(list, " \t"); list != "" && list[0] != ',' {
			return false
		}
	}
	return false
}
