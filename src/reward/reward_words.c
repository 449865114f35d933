/* Scripts and languages: which script a letter is of, and the common words that tell languages of the Latin script apart.
 *
 * The lists are short on purpose: articles, pronouns, prepositions, conjunctions, auxiliary verbs, and what thoughts about problems
 * say (so, then, wait, therefore). Such words make up about half of running text. Words that several languages share stand in the list of each.
 * Ranges of scripts are the blocks of Unicode 15.
 */
#include "reward/reward_int.h"

#include <utf8proc.h>

r1_char_kind r1_char_kind_of(uint32_t cp)
{
    if (cp < 0x80) {
        if ((cp >= 'a' && cp <= 'z') || (cp >= 'A' && cp <= 'Z')) return R1_CHAR_LETTER;
        return cp >= '0' && cp <= '9' ? R1_CHAR_DIGIT : R1_CHAR_NONE;
    }
    if (cp >= 0x1D400 && cp <= 0x1D7FF) return R1_CHAR_NONE; /* letters as mathematical signs */
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO:
        return R1_CHAR_LETTER;
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME:
        return R1_CHAR_MARK;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO:
        return cp == 0x3007 ? R1_CHAR_LETTER : R1_CHAR_DIGIT; /* the Han zero */
    default: return R1_CHAR_NONE;
    }
}

typedef struct range { uint32_t first, last; r1_script script; } range;

static const range ranges[] = {
    { 0x41, 0x24F, R1_SCRIPT_LATIN },       { 0x250, 0x2FF, R1_SCRIPT_OTHER },      { 0x370, 0x3FF, R1_SCRIPT_GREEK },
    { 0x400, 0x52F, R1_SCRIPT_CYRILLIC },   { 0x531, 0x58F, R1_SCRIPT_ARMENIAN },   { 0x590, 0x5FF, R1_SCRIPT_HEBREW },
    { 0x600, 0x6FF, R1_SCRIPT_ARABIC },     { 0x750, 0x77F, R1_SCRIPT_ARABIC },     { 0x870, 0x8FF, R1_SCRIPT_ARABIC },
    { 0x900, 0x97F, R1_SCRIPT_DEVANAGARI }, { 0x980, 0x9FF, R1_SCRIPT_BENGALI },    { 0xA00, 0xA7F, R1_SCRIPT_GURMUKHI },
    { 0xA80, 0xAFF, R1_SCRIPT_GUJARATI },   { 0xB80, 0xBFF, R1_SCRIPT_TAMIL },      { 0xC00, 0xC7F, R1_SCRIPT_TELUGU },
    { 0xC80, 0xCFF, R1_SCRIPT_KANNADA },    { 0xD00, 0xD7F, R1_SCRIPT_MALAYALAM },  { 0xD80, 0xDFF, R1_SCRIPT_SINHALA },
    { 0xE00, 0xE7F, R1_SCRIPT_THAI },       { 0xE80, 0xEFF, R1_SCRIPT_LAO },        { 0x1000, 0x109F, R1_SCRIPT_MYANMAR },
    { 0x10A0, 0x10FF, R1_SCRIPT_GEORGIAN }, { 0x1100, 0x11FF, R1_SCRIPT_HANGUL },   { 0x1200, 0x139F, R1_SCRIPT_ETHIOPIC },
    { 0x1780, 0x17FF, R1_SCRIPT_KHMER },    { 0x1C80, 0x1C8F, R1_SCRIPT_CYRILLIC }, { 0x1C90, 0x1CBF, R1_SCRIPT_GEORGIAN },
    { 0x1E00, 0x1EFF, R1_SCRIPT_LATIN },    { 0x1F00, 0x1FFF, R1_SCRIPT_GREEK },    { 0x2C60, 0x2C7F, R1_SCRIPT_LATIN },
    { 0x2DE0, 0x2DFF, R1_SCRIPT_CYRILLIC }, { 0x3005, 0x3007, R1_SCRIPT_HAN },      { 0x3040, 0x30FF, R1_SCRIPT_KANA },
    { 0x3100, 0x312F, R1_SCRIPT_HAN },      { 0x3130, 0x318F, R1_SCRIPT_HANGUL },   { 0x31F0, 0x31FF, R1_SCRIPT_KANA },
    { 0x3400, 0x4DBF, R1_SCRIPT_HAN },      { 0x4E00, 0x9FFF, R1_SCRIPT_HAN },      { 0xA640, 0xA69F, R1_SCRIPT_CYRILLIC },
    { 0xA720, 0xA7FF, R1_SCRIPT_LATIN },    { 0xA960, 0xA97F, R1_SCRIPT_HANGUL },   { 0xAC00, 0xD7FF, R1_SCRIPT_HANGUL },
    { 0xF900, 0xFAFF, R1_SCRIPT_HAN },      { 0xFB00, 0xFB06, R1_SCRIPT_LATIN },    { 0xFB13, 0xFB17, R1_SCRIPT_ARMENIAN },
    { 0xFB1D, 0xFB4F, R1_SCRIPT_HEBREW },   { 0xFB50, 0xFDFF, R1_SCRIPT_ARABIC },   { 0xFE70, 0xFEFF, R1_SCRIPT_ARABIC },
    { 0xFF21, 0xFF5A, R1_SCRIPT_LATIN },    { 0xFF66, 0xFF9F, R1_SCRIPT_KANA },     { 0xFFA0, 0xFFDC, R1_SCRIPT_HANGUL },
    { 0x20000, 0x323AF, R1_SCRIPT_HAN },
};

r1_script r1_script_of(uint32_t cp)
{
    size_t lo = 0, hi = R1_COUNT(ranges);
    while (lo < hi) {
        size_t middle = (lo + hi) / 2;
        if (cp > ranges[middle].last) lo = middle + 1;
        else hi = middle;
    }
    return lo < R1_COUNT(ranges) && cp >= ranges[lo].first ? ranges[lo].script : R1_SCRIPT_OTHER;
}

bool r1_script_is_unspaced(r1_script s)
{
    return s == R1_SCRIPT_HAN || s == R1_SCRIPT_KANA || s == R1_SCRIPT_THAI || s == R1_SCRIPT_LAO || s == R1_SCRIPT_KHMER || s == R1_SCRIPT_MYANMAR;
}

/* ---- languages ---- */

enum { EN, DE, FR, ES, IT, PT, NL, SV, PL, TR, ID, VI, N_LATIN };

#define NOT_RUSSIAN "іїєґўјљњђћџѓќѕәғқңөұүһ"
#define NOT_UKRAINIAN "ыэёъўјљњђћџѓќѕәғқңөұүһ"
#define NOT_BULGARIAN "ыэёіїєґўјљњђћџѓќѕ"
#define NOT_SERBIAN "ыэёъйщьюяіїєґў"
#define NOT_BELARUSIAN "ищъїєґјљњђћџѓќѕ"
#define NOT_ARABIC "پچژگٹڈڑںےہ"
#define NOT_PERSIAN "ٹڈڑںےةإ"

const r1_language r1_languages[] = {
    { "en", "English", R1_SCRIPT_LATIN, EN, NULL },       { "zh", "Chinese", R1_SCRIPT_HAN, -1, NULL },
    { "de", "German", R1_SCRIPT_LATIN, DE, NULL },        { "fr", "French", R1_SCRIPT_LATIN, FR, NULL },
    { "es", "Spanish", R1_SCRIPT_LATIN, ES, NULL },       { "it", "Italian", R1_SCRIPT_LATIN, IT, NULL },
    { "pt", "Portuguese", R1_SCRIPT_LATIN, PT, NULL },    { "nl", "Dutch", R1_SCRIPT_LATIN, NL, NULL },
    { "sv", "Swedish", R1_SCRIPT_LATIN, SV, NULL },       { "pl", "Polish", R1_SCRIPT_LATIN, PL, NULL },
    { "tr", "Turkish", R1_SCRIPT_LATIN, TR, NULL },       { "id", "Indonesian", R1_SCRIPT_LATIN, ID, NULL },
    { "vi", "Vietnamese", R1_SCRIPT_LATIN, VI, NULL },    { "ja", "Japanese", R1_SCRIPT_KANA, -1, NULL },
    { "ko", "Korean", R1_SCRIPT_HANGUL, -1, NULL },       { "ru", "Russian", R1_SCRIPT_CYRILLIC, -1, NOT_RUSSIAN },
    { "uk", "Ukrainian", R1_SCRIPT_CYRILLIC, -1, NOT_UKRAINIAN }, { "bg", "Bulgarian", R1_SCRIPT_CYRILLIC, -1, NOT_BULGARIAN },
    { "sr", "Serbian", R1_SCRIPT_CYRILLIC, -1, NOT_SERBIAN },     { "be", "Belarusian", R1_SCRIPT_CYRILLIC, -1, NOT_BELARUSIAN },
    { "el", "Greek", R1_SCRIPT_GREEK, -1, NULL },         { "ar", "Arabic", R1_SCRIPT_ARABIC, -1, NOT_ARABIC },
    { "fa", "Persian", R1_SCRIPT_ARABIC, -1, NOT_PERSIAN }, { "ur", "Urdu", R1_SCRIPT_ARABIC, -1, NULL },
    { "he", "Hebrew", R1_SCRIPT_HEBREW, -1, NULL },       { "hi", "Hindi", R1_SCRIPT_DEVANAGARI, -1, NULL },
    { "mr", "Marathi", R1_SCRIPT_DEVANAGARI, -1, NULL },  { "ne", "Nepali", R1_SCRIPT_DEVANAGARI, -1, NULL },
    { "bn", "Bengali", R1_SCRIPT_BENGALI, -1, NULL },     { "pa", "Punjabi", R1_SCRIPT_GURMUKHI, -1, NULL },
    { "gu", "Gujarati", R1_SCRIPT_GUJARATI, -1, NULL },   { "ta", "Tamil", R1_SCRIPT_TAMIL, -1, NULL },
    { "te", "Telugu", R1_SCRIPT_TELUGU, -1, NULL },       { "kn", "Kannada", R1_SCRIPT_KANNADA, -1, NULL },
    { "ml", "Malayalam", R1_SCRIPT_MALAYALAM, -1, NULL }, { "si", "Sinhala", R1_SCRIPT_SINHALA, -1, NULL },
    { "th", "Thai", R1_SCRIPT_THAI, -1, NULL },           { "lo", "Lao", R1_SCRIPT_LAO, -1, NULL },
    { "my", "Burmese", R1_SCRIPT_MYANMAR, -1, NULL },     { "km", "Khmer", R1_SCRIPT_KHMER, -1, NULL },
    { "ka", "Georgian", R1_SCRIPT_GEORGIAN, -1, NULL },   { "hy", "Armenian", R1_SCRIPT_ARMENIAN, -1, NULL },
    { "am", "Amharic", R1_SCRIPT_ETHIOPIC, -1, NULL },    { NULL, NULL, R1_SCRIPT_NONE, -1, NULL },
};

const char *const r1_latin_words[R1_LATIN_MOST + 1] = {
    [EN] =
        "the of and to in is that it he she an am for was on are as with his they at be this have from or had by but not what all were when we there can an "
        "your which their said if will each about how up out them then she many some so these would other into has more her two like him see "
        "time could no make than first been its who now my made over did got gets gives per down only way find use may after also our just where most know get "
        "through back much before go good new write me any same right look think such because turn here why ask went need us let try again "
        "off between must both does don't doesn't isn't it's let's that's i'm we'll we've i'll can't won't didn't aren't "
        "wait okay since therefore thus hence however maybe actually alternatively check means equal equals answer problem question number numbers "
        "value solve sum find given using step next first second third however compute calculate hmm alright first verify consider case cases each "
        "total every whether either neither until while during within without under above below against should shall might being having doing "
        "one three four five six seven eight nine ten zero yes correct wrong therefore result gives give times divided plus minus formula equation",
    [DE] =
        "der die das und in zu den ist von nicht mit sich des auf für im dem dass ein eine als auch es an werden aus er hat dass sie nach wird bei "
        "einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei ich wir ihr "
        "kann gegen vom können schon wenn habe ihre dann unter wo was wenn sehr hier sollte muss müssen gibt ihm seine diese dieser dieses "
        "diesem diesen kein keine jetzt also warte zuerst nun daher damit denn weil zwischen gleich gleichung zahl zahlen wert summe antwort lösung "
        "aufgabe frage schritt berechnen berechne ergibt ergebnis lautet deshalb somit jedoch vielleicht eigentlich nämlich ob da mal "
        "zwei drei vier fünf sechs sieben acht neun zehn null ja nein richtig falsch prüfen wissen lassen uns mir mich dir dich euch ihnen "
        "alle alles jede jeder jedes beide andere anderen ohne während wurden hatte hatten würde würden könnte darf soll wollen",
    [FR] =
        "le la les de des du un une et à est en que qui dans pour pas sur se au ne ce il sont avec plus par je on nous vous ils elle elles mais "
        "ou où donc car comme tout tous toute toutes son sa ses leur leurs mon ma mes notre nos votre vos cette ces cet être avoir fait peut "
        "même aussi bien si sans deux trois quatre cinq sept huit neuf dix zéro y a été était ont avons avez aux d'un d'une c'est qu'il n'est "
        "j'ai l'on s'il alors ainsi puis ensuite attendez voyons nombre nombres valeur somme équation réponse problème question étape calculer "
        "calculons trouver trouvons égal égale vérifions parce chaque entre après avant encore toujours jamais rien peu très trop ici là "
        "cela ceci celui celle ceux quand quel quelle quels quelles comment pourquoi faut faire dire soit sera serait oui non vrai faux résultat",
    [ES] =
        "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí porque esta entre cuando muy sin "
        "sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos e esto mí antes algunos "
        "qué unos yo otro otras otra él tanto esa estos mucho quienes nada muchos cual poco ella estar estas algunas algo nosotros es son fue era "
        "ser está están tiene tienen hacer puede pueden dos tres cuatro cinco seis siete ocho nueve diez cero entonces así luego espera vamos "
        "número números valor suma ecuación respuesta problema pregunta paso calcular calculemos encontrar igual verifiquemos resultado ahora "
        "primero segundo cada sea si cuántos cuánto debemos tenemos podemos sabemos hemos había sería",
    [IT] =
        "di e il la che in un una per è non con si da come anche le lo i gli del della dei delle degli al alla ai alle dal dalla nel nella nei "
        "nelle sul sulla ma o se ci mi ti vi questo questa questi queste quello quella sono essere ha hanno ho abbiamo più molto poi quando dove "
        "chi cosa perché cui tra fra suo sua suoi loro nostro tutto tutti tutte ogni altro altra altri così quindi allora dunque ora prima dopo "
        "due tre quattro cinque sei sette otto nove dieci zero sia può possono deve dobbiamo possiamo abbiamo fare numero numeri valore somma "
        "equazione risposta problema domanda passo calcolare calcoliamo trovare troviamo uguale verifichiamo aspetta risultato ancora già solo "
        "senza sempre mai niente poco era erano stato stata uno dell'altro c'è l'equazione un'altra",
    [PT] =
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos "
        "já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles estão você tinha foram essa num "
        "nem suas meu às minha têm numa pelos elas havia seja qual será nós tenho lhe deles essas esses pelas este fosse dele isto são dois três "
        "quatro cinco seis sete oito nove dez zero então assim portanto agora vamos espere número números valor soma equação resposta problema "
        "pergunta passo calcular encontrar igual verificar resultado cada temos podemos devemos sabemos primeiro segundo porque onde",
    [NL] =
        "de van het een en in is dat op te zijn met die voor niet aan er om maar dan zou of wat mijn men dit zo door over ze zich bij ook tot je "
        "mij uit der daar haar naar heb hoe heeft hebben deze u want nog zal me zij nu ge geen omdat iets worden toch al waren veel meer doen "
        "moet hem kan hij ik wij we ons onze uw jullie werd wordt als dus eerst daarna wacht laten getal getallen waarde som vergelijking antwoord "
        "probleem vraag stap berekenen vinden gelijk resultaat twee drie vier vijf zes zeven acht negen tien nul ja nee goed fout elke ieder alle "
        "alles onder tussen zonder tegen waar waarom welke wie hier kunnen moeten willen hadden had was bent misschien echter daarom",
    [SV] =
        "och i att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när hon ska eller nu där vid mot "
        "också efter upp vad hade över få alla andra mycket skulle två här bara bli blev ut sin honom under man än denna detta dessa dem oss "
        "sedan alltså därför eftersom först vänta låt tal talet värde summan ekvation svar svaret problem fråga steg beräkna hitta lika resultat "
        "tre fyra fem sex sju åtta nio tio noll ja nej rätt fel varje mellan utan vara blir finns måste vet kommer hur varför vilken vilket",
    [PL] =
        "i w na z do się nie to jest że o jak po co tak za od są jego być przez dla tym ale czy tego jako który która które ich jej może przy "
        "było był była tylko już oraz bardzo tej jeszcze też mnie lub gdy ten ta te ma mamy więc zatem wtedy teraz poczekaj liczba liczby liczb "
        "wartość suma równanie odpowiedź problem pytanie krok obliczyć obliczmy znaleźć równa równe wynik dwa trzy cztery pięć sześć siedem osiem "
        "dziewięć dziesięć zero każdy każda każde między bez pod nad gdzie dlaczego kiedy jeśli ponieważ możemy musimy wiemy najpierw potem wszystkie",
    [TR] =
        "ve bir bu da de için ile çok o olarak daha gibi olan en kadar sonra ne ise var ki mi ama her şey ben sen biz siz onlar değil yok veya "
        "ya eğer çünkü nasıl neden hangi şimdi önce sonuç cevap soru problem sayı sayısı sayılar değer toplam denklem adım eşit eşittir bulmak "
        "hesapla hesaplayalım bulalım iki üç dört beş altı yedi sekiz dokuz on sıfır evet hayır doğru yanlış olur olduğu olduğunu oldu diye bekle "
        "yani böylece tüm bütün hiç aynı arasında göre kendi",
    [ID] =
        "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada mereka lebih kata tahun sudah atau saat "
        "oleh menjadi orang ia telah adalah seperti sebagai bahwa dapat para harus namun kita dua satu tiga empat lima enam tujuh delapan sembilan "
        "sepuluh nol masih hari hanya mari jika maka jadi kemudian tunggu bilangan nilai jumlah persamaan jawaban soal pertanyaan langkah hitung "
        "menghitung mencari sama hasil setiap antara tanpa bagaimana mengapa kami kamu dia apa",
    [VI] =
        "và của là có được cho trong với không các một những này đã để khi người từ đến như về trên ra vào thì ở nhưng cũng nếu vì bằng phải "
        "theo nên sẽ đó tôi chúng ta bạn số giá trị tổng phương trình đáp án câu hỏi bước tính tìm kết quả hai ba bốn năm sáu bảy tám chín mười "
        "đúng sai mỗi giữa sau trước rồi vậy nào gì bao nhiêu hay hoặc đầu tiên",
};
_Static_assert(N_LATIN <= R1_LATIN_MOST, "masks have a bit for each language");

uint32_t r1_letter_languages(uint32_t cp)
{
    static const struct { uint32_t cp, mask; } letters[] = {
        { 0xDF, 1u << DE }, { 0xF1, 1u << ES }, { 0xE3, 1u << PT | 1u << VI }, { 0xF5, 1u << PT | 1u << VI }, { 0xE5, 1u << SV },
        { 0xE4, 1u << DE | 1u << SV }, { 0xF6, 1u << DE | 1u << SV | 1u << TR }, { 0xFC, 1u << DE | 1u << TR }, { 0x153, 1u << FR },
        { 0xEE, 1u << FR }, { 0xF2, 1u << IT | 1u << VI }, { 0xEC, 1u << IT | 1u << VI },
        { 0x142, 1u << PL }, { 0x17C, 1u << PL }, { 0x17A, 1u << PL }, { 0x15B, 1u << PL }, { 0x144, 1u << PL }, { 0x105, 1u << PL }, { 0x119, 1u << PL },
        { 0x107, 1u << PL }, { 0x11F, 1u << TR }, { 0x131, 1u << TR }, { 0x15F, 1u << TR }, { 0x111, 1u << VI }, { 0x1A1, 1u << VI }, { 0x1B0, 1u << VI },
    };
    if (cp < 0x80) return 0;
    if (cp >= 0x1EA0 && cp <= 0x1EF9) return 1u << VI;
    for (size_t i = 0; i < R1_COUNT(letters); i++)
        if (letters[i].cp == cp) return letters[i].mask;
    return 0;
}

bool r1_is_function_name(r1_span word)
{
    static const char *const names[] = {
        "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "log", "ln", "exp", "mod", "gcd", "lcm",
        "max", "min", "lim", "sup", "inf", "sqrt", "det", "dim", "deg", "ker", "arg", "pmod",
    };
    for (size_t i = 0; i < R1_COUNT(names); i++)
        if (r1_span_is(word, names[i])) return true;
    return false;
}
