package main

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// frame looks at the page in a frame so wide and writes down what it found: the width
// of what it shows, its background, and the first column of a table before and after
// a sort by the second.
const frame = `<!doctype html><body><iframe src="report.html" style="width:%dpx;height:900px;border:0"></iframe><script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentWindow, doc = page.document, found = {};
  found.scroll = doc.documentElement.scrollWidth;
  found.width = page.innerWidth;
  found.background = page.getComputedStyle(doc.body).backgroundColor;
  found.plots = [...doc.querySelectorAll(".plot svg")].filter(s => s.getBoundingClientRect().width > 0).length;
  found.wide = Math.max(...[...doc.querySelectorAll(".plot svg, p, h1, h2, pre, dl")].map(s => s.getBoundingClientRect().right));
  const table = doc.querySelectorAll("table")[1], names = () => [...table.tBodies[0].rows].map(r => r.cells[0].textContent).join(" ");
  const button = table.querySelectorAll("th button")[3];
  found.before = names();
  button.focus(); found.focus = doc.activeElement === button;
  button.click(); found.up = names(); found.sorted = button.parentElement.getAttribute("aria-sort");
  button.click(); found.down = names();
  document.body.textContent = "found " + JSON.stringify(found) + " end";
});
</script>`

type found struct {
	Scroll, Width, Plots     int
	Wide                     float64
	Background               string
	Before, Up, Down, Sorted string
	Focus                    bool
}

// The page in a browser: on a phone and at a desk, light and dark, nothing is wider
// than the window, and tables sort.
func TestReportInBrowser(t *testing.T) {
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("no Chromium is installed")
	}
	dir := t.TempDir()
	// Some are kept from the files of others, or cannot run here at all.
	if out, err := dump(browser, dir, "<!doctype html><p>it runs", "1"); err != nil || !strings.Contains(out, "it runs") {
		t.Skipf("%s cannot open a file: %v", browser, err)
	}
	for name, args := range map[string][]string{"headline": nil, "steady": {"testdata/scenarios/steady.yaml"}} {
		if code, _, stderr := run(append([]string{"report", "-o", filepath.Join(dir, "report.html")}, args...)...); code != 0 {
			t.Fatal(stderr)
		}
		for _, width := range []int{390, 1280} {
			for _, dark := range []bool{false, true} {
				look(t, browser, dir, fmt.Sprintf("%s, %d wide, dark %v", name, width, dark), width, dark, name == "headline")
			}
		}
	}
}

func look(t *testing.T, browser, dir, name string, width int, dark, headline bool) {
	t.Helper()
	scheme := "1"
	if dark {
		scheme = "0"
	}
	out, err := dump(browser, dir, fmt.Sprintf(frame, width), scheme)
	_, rest, _ := strings.Cut(out, "found ")
	text, _, complete := strings.Cut(rest, " end")
	var got found
	if err != nil || !complete || json.Unmarshal([]byte(html.UnescapeString(text)), &got) != nil {
		t.Fatalf("%s: %v: %.500s", name, err, out)
	}
	if got.Width != width || got.Scroll > width || got.Wide > float64(width) {
		t.Errorf("%s: the page is %d wide, what it shows up to %.0f", name, got.Scroll, got.Wide)
	}
	if want := map[bool]string{false: "rgb(255, 255, 255)", true: "rgb(18, 23, 29)"}[dark]; got.Background != want {
		t.Errorf("%s: background %s", name, got.Background)
	}
	if !got.Focus || got.Sorted != "ascending" {
		t.Errorf("%s: the head of a column cannot be used by the keyboard: %+v", name, got)
	}
	if headline && (got.Plots != 6 || got.Before != "modulo ring ring_migrated" || got.Up != "ring_migrated ring modulo" || got.Down != got.Before) {
		t.Errorf("%s: %+v", name, got)
	}
}

// dump opens a page in the browser and returns what it has become.
func dump(browser, dir, page, scheme string) (string, error) {
	file := filepath.Join(dir, "frame.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // a browser that hangs
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--user-data-dir="+filepath.Join(dir, "profile"),
		"--allow-file-access-from-files", "--blink-settings=preferredColorScheme="+scheme, "--window-size=1400,1000", "--dump-dom", "file://"+file)
	cmd.WaitDelay = time.Minute
	out, err := cmd.Output()
	return string(out), err
}
