// The meter of every scenario: benchmarks/shared/meter.py says what its figures are.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type meter struct {
	startup, wall, spent, peak, before float64
	start                              time.Time
	startCPU                           float64
}

// newMeter is made when the work is about to begin: what came before is the start-up.
func newMeter() *meter {
	m := &meter{startup: cpu(), before: settled()}
	m.begin()
	return m
}

// again begins a second part, whose growth is from what is held now.
func (m *meter) again() {
	m.before = settled()
	m.begin()
}

func (m *meter) begin() { m.start, m.startCPU = time.Now(), cpu() }

func (m *meter) stop() {
	m.wall, m.spent, m.peak = time.Since(m.start).Seconds(), cpu()-m.startCPU, memory("VmHWM")
}

func (m *meter) report(own map[string]interface{}) {
	time.Sleep(time.Second)
	resident := memory("VmRSS") // a second after the work, no garbage collector asked
	row := map[string]interface{}{
		"wall_s": m.wall, "cpu_s": m.spent, "startup_cpu_s": m.startup, "rss_peak_mb": m.peak, "growth_mb": resident - m.before,
		"growth_forced_mb": settled() - m.before,
	}
	for name, value := range own {
		row[name] = value
	}
	check(json.NewEncoder(os.Stdout).Encode(row))
}

func cpu() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// memory gives a line of /proc/self/status, in MB of 1e6 bytes.
func memory(name string) float64 {
	text, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, name+":") {
			kib, err := strconv.ParseFloat(strings.Fields(line)[1], 64)
			check(err)
			return kib * 1024 / 1e6
		}
	}
	check(fmt.Errorf("no %s in /proc/self/status", name))
	return 0
}

func settled() float64 {
	runtime.GC()
	debug.FreeOSMemory()
	return memory("VmRSS")
}
