/* Answers "select hello()" itself, and counts how often it did. */
#include "sluice/sluice.h"

static sluice_counter hellos;

SLUICE_INIT {
    hellos = sluice_make_counter("hellos_total");
    return 0;
}

SLUICE_HOOK(onQuery) {
    sluice_bytes text = sluice_text(); // what is typed into psql comes with its semicolon
    bool is_hello = sluice_equals(text, "select hello()") || sluice_equals(text, "select hello();");
    if (!is_hello || !sluice_has(SLUICE_CAN_RESPOND)) return sluice_forward();
    int64_t times = sluice_kv_increment(sluice_text_bytes("hellos"), 1, 0);
    sluice_bytes greeting = sluice_config("greeting");
    if (!greeting.data) greeting = sluice_text_bytes("hello");
    sluice_add(hellos, 1);
    sluice_log(SLUICE_LOG_INFO, "Said hello");
    sluice_column("greeting", SLUICE_TEXT);
    sluice_column("times", SLUICE_INT8);
    sluice_value(greeting);
    sluice_value(sluice_number(times));
    return sluice_respond();
}
