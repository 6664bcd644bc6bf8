// Package grafana holds a dashboard for what the daemon tells Prometheus.
package grafana

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tarsier/daemon/web"
	"tarsier/pipeline"
)

type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Panels        []struct {
		ID          int
		Type, Title string
		Description string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ RefID, Expr, LegendFormat string }
		Datasource  struct{ UID string }
	}
	Templating struct {
		List []struct {
			Name, Type, Regex string
			Query             any
		}
	}
}

func read(t *testing.T) dashboard {
	t.Helper()
	b, err := os.ReadFile("tarsier.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Every panel asks only for metrics and labels that /metrics has.
func TestMetricsExist(t *testing.T) {
	metrics := scrape(t)
	asked := 0
	for _, p := range read(t).Panels {
		for _, target := range p.Targets {
			asked++
			labels := map[string]bool{}
			for _, s := range selectors(target.Expr) {
				has := metrics[s.metric]
				if has == nil {
					t.Errorf("panel %q: there is no metric %s", p.Title, s.metric)
					continue
				}
				for l := range has {
					labels[l] = true
				}
				for _, l := range s.labels {
					if !has[l] {
						t.Errorf("panel %q: %s has no label %s", p.Title, s.metric, l)
					}
				}
			}
			if len(labels) == 0 {
				t.Errorf("panel %q: %s asks for no metric", p.Title, target.Expr)
			}
			for _, l := range slices.Concat(grouped(target.Expr), placeholders(target.LegendFormat)) {
				if !labels[l] {
					t.Errorf("panel %q: nothing in %s has the label %s", p.Title, target.Expr, l)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d queries were found", asked)
	}
}

// The finder of names finds them.
func TestSelectors(t *testing.T) {
	expr := `histogram_quantile(0.95, sum by (stage, le) (rate(a_bucket{x="1", y=~"b{2}"}[5m]))) unless on (z) b_total offset 5m > 1e3 or vector(0)`
	got := selectors(expr)
	if len(got) != 2 || got[0].metric != "a_bucket" || !slices.Equal(got[0].labels, []string{"x", "y"}) || got[1].metric != "b_total" || got[1].labels != nil {
		t.Errorf("selectors of %s: %v", expr, got)
	}
	if got := grouped(expr); !slices.Equal(got, []string{"stage", "le", "z"}) {
		t.Errorf("labels of %s: %v", expr, got)
	}
}

// It can be read, and each of its parts be told from the others.
func TestLayout(t *testing.T) {
	d := read(t)
	if d.Title == "" || d.UID == "" || d.SchemaVersion < 36 {
		t.Errorf("the dashboard is %q, %q, of schema %d", d.Title, d.UID, d.SchemaVersion)
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	if !slices.Equal(variables, []string{"datasource", "node"}) {
		t.Errorf("the variables are %v", variables)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (p.Datasource.UID != "${datasource}" || p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q lacks its data source, a description or a query", p.Title)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or beyond the edge", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
}

// scrape gives the labels of each metric that /metrics has where nothing is missing, with those that Prometheus adds.
func scrape(t *testing.T) map[string]map[string]bool {
	t.Helper()
	yes, some := true, 1.5
	var latency web.Histogram
	latency.Add(time.Millisecond)
	metrics := web.Metrics(func() web.View {
		return web.View{
			Throttled: &yes, TemperatureC: &some,
			Cameras: []web.Camera{{
				Name: "porch", AgeS: &some, Stages: map[string]web.Histogram{"total": latency},
				Events: map[string]uint64{pipeline.Enter: 1}, Regions: []web.Region{{Name: "door"}},
			}},
		}
	})
	w := httptest.NewRecorder()
	metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	labels := map[string]map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)(\{.*\})? \S+$`).FindAllStringSubmatch(w.Body.String(), -1) {
		labels[m[1]] = map[string]bool{"instance": true, "job": true}
		for _, l := range matched.FindAllStringSubmatch(m[2], -1) {
			labels[m[1]][l[1]] = true
		}
	}
	return labels
}

// A selector is a metric in an expression, and the labels that it must have.
type selector struct {
	metric string
	labels []string
}

var (
	text    = regexp.MustCompile(`"[^"]*"`)
	ranges  = regexp.MustCompile(`\[[^\]]*\]`)
	groups  = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	numbers = regexp.MustCompile(`\b\d[\w.]*`)
	names   = regexp.MustCompile(`([a-zA-Z_]\w*)\s*(\(|\{[^}]*\})?`)
	matched = regexp.MustCompile(`(\w+)\s*(?:=|!)`)
	holders = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)
)

// selectors finds the metrics of a PromQL expression: names that are no function, no operator and no label.
func selectors(expr string) (found []selector) {
	for _, without := range []*regexp.Regexp{text, ranges, groups, numbers} {
		expr = without.ReplaceAllString(expr, "")
	}
	for _, m := range names.FindAllStringSubmatch(expr, -1) {
		operator := slices.Contains([]string{"and", "or", "unless", "bool", "offset", "sum", "min", "max", "avg", "count"}, m[1])
		if operator || m[2] == "(" {
			continue
		}
		s := selector{metric: m[1]}
		for _, l := range matched.FindAllStringSubmatch(m[2], -1) {
			s.labels = append(s.labels, l[1])
		}
		found = append(found, s)
	}
	return found
}

// grouped gives the labels by which an expression groups or joins.
func grouped(expr string) (labels []string) {
	for _, m := range groups.FindAllStringSubmatch(expr, -1) {
		labels = append(labels, strings.FieldsFunc(m[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	return labels
}

// placeholders gives the labels that a legend shows.
func placeholders(legend string) (labels []string) {
	for _, m := range holders.FindAllStringSubmatch(legend, -1) {
		labels = append(labels, m[1])
	}
	return labels
}
