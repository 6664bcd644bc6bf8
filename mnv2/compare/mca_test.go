package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseDisassembly(t *testing.T) {
	got := parseDisassembly("\t.text\n" +
		"\tsdot\tv0.4s, v1.16b, v2.16b           // encoding: [0x20,0x94,0x82,0x4e]\n" +
		"\tret                                     // encoding: [0xc0,0x03,0x5f,0xd6]\n")
	if len(got) != 2 || got[0x4e829420] != "sdot\tv0.4s, v1.16b, v2.16b" || got[0xd65f03c0] != "ret" {
		t.Errorf("%q", got)
	}
}

func TestMCAInput(t *testing.T) {
	blocks := []block{
		"\x4e\x82\x94\x20\xff\xff\xff\xff\xd6\x5f\x03\xc0", // sdot, unknown, ret
		"\xd6\x5f\x03\xc0",
	}
	text := map[uint32]string{0x4e829420: "sdot v0.4s, v1.16b, v2.16b", 0xd65f03c0: "ret"}
	want := `# LLVM-MCA-BEGIN 0
sdot v0.4s, v1.16b, v2.16b
# LLVM-MCA-END 0
# LLVM-MCA-BEGIN 1
nop
# LLVM-MCA-END 1
`
	if got := mcaInput(blocks, text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const mcaReport = `{
  "CodeRegions": [
    {"Instructions": ["sdot\tv0.4s, v1.16b, v2.16b"], "Name": "1", "SummaryView": {"IPC": 0.985, "Iterations": 100, "TotalCycles": 203}},
    {"Instructions": ["ldr\tq0, [x1], #16"], "Name": "0", "SummaryView": {"IPC": 0.934, "Iterations": 100, "TotalCycles": 107}}
  ],
  "TargetInfo": {"CPUName": "neoverse-n1", "Resources": ["N1UnitD.\u0000"]}
}`

func TestMCACycles(t *testing.T) {
	got, err := mcaCycles(mcaReport, 2)
	if err != nil || !slices.Equal(got, []float64{1.07, 2.03}) {
		t.Errorf("%v, %v: want 1.07, 2.03", got, err)
	}
	if got, err = mcaCycles(mcaReport, 3); err != nil || !slices.Equal(got, []float64{1.07, 2.03, 0}) {
		t.Errorf("%v, %v: want a third block that is free", got, err)
	}
	for name, report := range map[string]string{
		"nothing":        "",
		"a warning":      "warning: found something",
		"a third region": strings.Replace(mcaReport, `"1"`, `"2"`, 1),
		"a foreign name": strings.Replace(mcaReport, `"1"`, `"x"`, 1),
		"no cycles":      strings.Replace(mcaReport, `"TotalCycles": 203`, `"Cycles": 203`, 1),
		"no block":       `{"CodeRegions": []}`,
	} {
		if got, err := mcaCycles(report, 2); err == nil {
			t.Errorf("%s: %v, want an error", name, got)
		}
	}
}
