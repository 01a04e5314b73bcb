// hls::stream: a light stand-in for compiling generated code without a vendor tool (see ap_int.h).
//
// Plain, it is an unbounded queue, and the processes of a design run one after the other, as in the C simulation of HLS tools.
// With NN2HLS_CONCURRENT they run side by side with queues no deeper than the hardware's, so that what would stop the hardware
// stops them: the failure names the queue that all wait for, or the tokens that nobody read.
#ifndef NN2HLS_HLS_STREAM_H_
#define NN2HLS_HLS_STREAM_H_

#include <cstdlib>
#include <deque>

#ifdef NN2HLS_CONCURRENT
#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace nn2hls {

// The processes of a design. Whoever would wait while all others wait, or have ended, would wait for ever.
class processes {
  public:
    struct stopped {};  // thrown in every process that waits when one of them has failed

    // One end of a queue: whether its process waits.
    struct end {
        std::condition_variable woken;
        bool waiting;
        end() : waiting(false) {}
    };

    std::mutex lock;
    std::string failure;  // the first one; empty: none

    static processes& all() {
        static processes one;
        return one;
    }

    void add(const std::function<void()>& process) { added.push_back(process); }

    // Run those that were added until all have ended.
    void run() {
        std::vector<std::thread> threads;
        alive = static_cast<int>(added.size());
        blocked = 0;
        for (size_t k = 0; k < added.size(); k++) threads.push_back(std::thread(&processes::one, this, added[k]));
        for (size_t k = 0; k < threads.size(); k++) threads[k].join();
        added.clear();
    }

    // With the lock held: wait until the other end of the queue has done something.
    void wait(end& mine, std::unique_lock<std::mutex>& held, const std::string& what) {
        if (!failure.empty()) throw stopped();
        mine.waiting = true;
        waiting.insert(&mine);
        blocked++;
        check(what);
        while (mine.waiting && failure.empty()) mine.woken.wait(held);
        waiting.erase(&mine);
        if (!failure.empty()) throw stopped();
    }
    void wake(end& other) {
        if (!other.waiting) return;
        other.waiting = false;
        blocked--;
        other.woken.notify_one();
    }
    void fail(const std::string& what) {
        if (failure.empty()) failure = what;
        for (std::set<end*>::iterator e = waiting.begin(); e != waiting.end(); ++e) (*e)->woken.notify_one();
    }

  private:
    std::vector<std::function<void()> > added;
    std::set<end*> waiting;
    int alive, blocked;

    processes() : alive(0), blocked(0) {}

    void one(std::function<void()> process) {
        try {
            process();
        } catch (const stopped&) {
        }
        std::lock_guard<std::mutex> held(lock);
        alive--;
        check("a token that no process sends");
    }
    void check(const std::string& what) {
        if (alive > 0 && blocked == alive) fail("All processes wait: the last one for " + what + ".");
    }
};

}  // namespace nn2hls
#endif

namespace hls {

template <class T>
class stream {
  public:
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

#ifndef NN2HLS_CONCURRENT
    stream() = default;
    explicit stream(const char*) {}

    bool empty() const { return words_.empty(); }
    void write(const T& word) { words_.push_back(word); }
    T read() {
        if (words_.empty()) std::abort();  // hardware would wait for ever
        const T word = words_.front();
        words_.pop_front();
        return word;
    }

  private:
    std::deque<T> words_;
#else
    explicit stream(const char* name = "a port", size_t depth = 0) : name_(name), depth_(depth) {}
    ~stream() {
        std::lock_guard<std::mutex> held(nn2hls::processes::all().lock);
        if (words_.empty()) return;
        std::ostringstream what;
        what << words_.size() << " tokens of " << name_ << " are left over.";
        nn2hls::processes::all().fail(what.str());
    }

    bool empty() const {
        std::lock_guard<std::mutex> held(nn2hls::processes::all().lock);
        return words_.empty();
    }
    void write(const T& word) {
        nn2hls::processes& all = nn2hls::processes::all();
        std::unique_lock<std::mutex> held(all.lock);
        while (depth_ && words_.size() >= depth_) all.wait(writer_, held, "room in " + name_);
        words_.push_back(word);
        all.wake(reader_);
    }
    T read() {
        nn2hls::processes& all = nn2hls::processes::all();
        std::unique_lock<std::mutex> held(all.lock);
        while (words_.empty()) all.wait(reader_, held, "a token of " + name_);
        const T word = words_.front();
        words_.pop_front();
        all.wake(writer_);
        return word;
    }

  private:
    std::deque<T> words_;
    const std::string name_;
    const size_t depth_;  // 0: any
    nn2hls::processes::end reader_, writer_;
#endif

  public:
    void read(T& word) { word = read(); }
};

}  // namespace hls

#endif
