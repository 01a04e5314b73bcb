// Feeds events to a design in Verilog and records what it shows, clock by clock. MODEL is Verilator's class. All values are mantissas in 64 bit words.
// What one clock holds: the inputs are set, the outputs settle and are read, then the rising edge comes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "MODEL.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

struct Settings {
    std::map<std::string, std::string> words;

    Settings(int count, char** arguments) {
        for (int i = 1; i < count; i++) {
            const std::string word = arguments[i];
            const size_t sign = word.find('=');
            if (sign != std::string::npos) words[word.substr(0, sign)] = word.substr(sign + 1);
        }
    }
    long number(const std::string& key) const { return std::strtol(words.at(key).c_str(), nullptr, 10); }
};

class Bench {
  public:
    explicit Bench(const Settings& s)
        : events(s.number("events")), gaps(s.number("gaps")), reset_after(s.number("reset")), patience(s.number("patience")),
          hold(s.number("hold")), every(s.number("every")), tail(s.number("tail")), random(s.number("seed")) {
        inputs.resize(events * INPUTS);
        std::ifstream file(s.words.at("in"), std::ios::binary);
        file.read(reinterpret_cast<char*>(inputs.data()), inputs.size() * sizeof(uint64_t));
        if (!file) fail("the events cannot be read");
        rows.open(s.words.at("out"), std::ios::binary);
        taken.open(s.words.at("taken"), std::ios::binary);
    }

    void run() {
        restart();
        if (reset_after > 0) {  // events are on their way when the reset comes; none of them may be seen later
            while (next < reset_after) step(false);
            restart();
        }
        while (answered < events) step(true);
        for (long n = 0; n < tail; n++) step(true);
        rows.flush();
        taken.flush();
        if (!rows || !taken) fail("the record cannot be written");
        std::printf("%ld clocks, %ld events taken, %ld answers\n", clock, next, answered);
    }

  private:
    MODEL design;
    const long events, gaps, reset_after, patience, hold, every, tail;
    std::mt19937_64 random;
    std::vector<uint64_t> inputs;
    std::ofstream rows, taken;
    long clock = 0, next = 0, answered = 0, progress = 0;
    long free_at = 0;      // hold: the clock from which the next event may come
    bool offered = false;  // an event is on the ports and not yet taken

    void restart() {
        next = answered = 0;
        free_at = 0;
        offered = false;
        drive(true, false);  // one clock must do
        rise();
        progress = clock;
    }

    // One clock. With hold >= 0 an event is given for one clock and its inputs stay until so many clocks after the answer.
    void step(bool record) {
        const bool may = next < events && clock >= free_at;
        if (may && !offered) offered = gaps == 0 || static_cast<long>(random() % 100) >= gaps;
        const bool valid = offered;
        const bool held = hold >= 0 && !may;
        if (!held) set_inputs(valid);
        drive(false, valid);
        if (record) write_row();
        if (valid && design.ready_in) {
            if (record) put(taken, clock);
            offered = false;
            next++;
            if (hold >= 0) free_at = INT64_MAX;
            progress = clock;
        }
        if (design.valid_out) {
            answered++;
            progress = clock;
            if (hold >= 0) free_at = clock + 1 + hold;
        }
        rise();
        if (clock - progress > patience && answered < events) {
            std::fprintf(stderr, "clock %ld: nothing for %ld clocks, %ld events taken, %ld answers\n", clock, patience, next, answered);
            std::exit(3);
        }
    }

    void set_inputs(bool valid) {
        for (int i = 0; i < INPUTS; i++) design.in[i] = valid ? inputs[next * INPUTS + i] : random();
    }

    void drive(bool reset, bool valid) {
        design.clock = 0;
        design.reset = reset;
        design.valid_in = valid;
        design.eval();
    }

    void rise() {
        design.clock = 1;
        design.eval();
        clock++;
    }

    void write_row() {
        if (!every && !design.valid_out) return;
        put(rows, clock);
        put(rows, design.valid_out);
        for (int i = 0; i < OUTPUTS; i++) put(rows, design.out[i]);
    }

    static void put(std::ofstream& file, uint64_t word) { file.write(reinterpret_cast<const char*>(&word), sizeof word); }

    static void fail(const char* what) {
        std::fprintf(stderr, "%s\n", what);
        std::exit(4);
    }
};

int main(int count, char** arguments) {
    Verilated::commandArgs(count, arguments);
    Bench(Settings(count, arguments)).run();
    return 0;
}
